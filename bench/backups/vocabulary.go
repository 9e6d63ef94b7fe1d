package backups

import (
	"math/rand/v2"
	"strings"
)

// Words that records are made of.
var (
	firstNames = strings.Fields("Amelia Anna Anton Astrid Ben Birgit Bruno Carla Carlos Chiara Clara Daniel David Elena Elif Emil Emma Erik Eva Felix Finn Frida Giulia Greta Hanna Hugo Ida Ines Ivan Jakob Jan Johanna Jonas Julia Karim Katja Lara Lea Leon Lina Louis Luca Lucia Lukas Maja Marek Maria Marta Max Mehmet Mia Milan Nadia Nina Noah Nora Olga Oskar Paul Paula Pedro Pia Rafael Romy Samuel Sara Selma Sofia Theo Thea Tom Vera Victor Wanda Yusuf Zoe")
	lastNames  = strings.Fields("Adler Albrecht Andersen Arslan Bauer Becker Berg Bianchi Brandt Braun Carlsson Conti Costa Demir Dietrich Dubois Engel Esposito Fernandez Fischer Fontaine Frank Friedrich Garcia Graf Gross Haas Hansen Hartmann Hoffmann Horvat Huber Jansen Jensen Johansson Kaiser Kaya Keller Klein Koch Kowalski Kraus Krueger Lambert Lang Larsen Lehmann Lindberg Lopez Ludwig Maier Martin Mayer Mendes Meyer Moreau Moser Mueller Neumann Nilsson Nowak Olsen Otto Peters Petit Pohl Ricci Richter Romano Rossi Roth Santos Sauer Schmidt Schneider Schulz Schwarz Silva Simon Sommer Stein Thomas Vogel Wagner Weber Werner Winter Wolf Yilmaz Ziegler Zimmermann")
	streets    = strings.Fields("Ahornweg Amselweg Bachstrasse Bahnhofstrasse Bergstrasse Birkenweg Blumenstrasse Brunnenweg Buchenweg Dorfstrasse Eichenweg Erlenweg Feldstrasse Finkenweg Friedhofstrasse Gartenstrasse Goethestrasse Hafenstrasse Hauptstrasse Heideweg Hochstrasse Jahnstrasse Kastanienallee Kirchstrasse Kirchweg Lerchenweg Lindenallee Marktplatz Meisenweg Mittelweg Mozartstrasse Muehlenweg Nordring Parkstrasse Poststrasse Ringstrasse Rosenweg Schillerstrasse Schlossallee Schulstrasse Seestrasse Sonnenhang Steinweg Talstrasse Tannenweg Uferweg Waldstrasse Wiesenweg Ziegelei Zum-Alten-Hof")
	cities     = strings.Fields("Aachen Augsburg Berlin Bern Bielefeld Bochum Bonn Bordeaux Bremen Brno Brugge Cologne Dijon Dortmund Dresden Duisburg Erfurt Essen Frankfurt Freiburg Geneva Ghent Graz Groningen Hamburg Hannover Innsbruck Karlsruhe Kassel Kiel Leipzig Lille Linz Lyon Mainz Malmo Mannheim Milano Munich Nantes Nuremberg Odense Ostrava Padova Rostock Rotterdam Salzburg Stuttgart Torino Trier Utrecht Vienna Wroclaw Zurich")
	companies  = strings.Fields("Aldermoor Altona Arbor Bellweather Birch Bluefin Brightwater Canal Cedar Compass Coral Delta Eastgate Elbe Everline Falcon Ferry Foxglove Garnet Granite Harbour Hazel Helix Highfield Iris Juniper Kestrel Lantern Larch Linden Lodestar Meridian Millrace Northwind Oakham Orchard Osprey Pebble Pine Quarry Redwood Ridge Riverside Rowan Saffron Silverlake Sparrow Sterling Summit Tern Thistle Vale Vintage Westbrook Willow Yarrow")
	forms      = strings.Fields("GmbH AG KG BV SA SARL Ltd SpA AB OHG")
	brands     = strings.Fields("Acora Alpenfest Arvik Belmonto Boreal Brookline Calder Camino Corvus Dalbo Densa Elmwood Fjordal Flint Gallant Halden Hikona Illumo Jorvik Kalma Kestrel Lumeno Marlow Mistral Monte Nordhaus Norra Oberon Orla Palto Pinnacle Quill Raven Rialto Sable Solano Stride Sundby Tambo Tarn Torrent Ultra Valora Velo Vento Wexford Yonder Zephyr Zinnia")
	things     = strings.Fields("Backpack Blanket Blender Boots Bottle Bowl Briefcase Camera Carafe Chair Charger Clock Coat Desk Drill Dumbbell Fan Gloves Grill Hammock Headphones Helmet Hoodie Jacket Jersey Kettle Keyboard Knife Lamp Lantern Lens Mat Mattress Microphone Mirror Monitor Mug Mouse Notebook Pan Pillow Printer Racket Razor Router Rug Sandals Scarf Scooter Shelf Shirt Shoes Socks Sofa Speaker Stool Stove Tablet Tent Toaster Towel Tripod Trousers Umbrella Vase Wallet Watch")
	qualities  = strings.Fields("adjustable all-weather antibacterial breathable classic compact cordless durable ergonomic everyday extra-long fine foldable full-size handmade heavy-duty high-end hybrid insulated kids lightweight long-sleeved low-noise magnetic mechanical men's minimal non-slip outdoor organic padded portable premium quick-drying rechargeable recycled reversible robust rugged seamless silent slim smart soft solid stackable stainless sturdy thermal travel ultralight unisex vegan vintage washable waterproof wide windproof wireless women's woven")
	colours    = strings.Fields("black white grey anthracite navy blue turquoise green olive yellow orange red burgundy pink lilac beige brown sand silver gold")
	materials  = strings.Fields("cotton polyester wool linen leather nylon steel aluminium oak beech bamboo glass ceramic silicone rubber carbon cork down")
	sections   = strings.Fields("Sports Outdoor Home Kitchen Garden Office Electronics Audio Photo Toys Fashion Shoes Bags Beauty Health Tools Lighting Furniture Bedding Travel")
	carriers   = strings.Fields("DHL DPD GLS UPS Hermes PostNL FedEx Colissimo")
	depots     = strings.Fields("HAM-1 HAM-2 BER-1 LEJ-3 MUC-2 CGN-1 FRA-4 AMS-2 WRO-1 VIE-1 LYS-2 MXP-1")
	channels   = strings.Fields("web app marketplace store partner phone")
	reasons    = strings.Fields("competitor schedule promotion cost manual clearance stock correction")
	prose      = strings.Fields("the a and of with for in to is on from by it that this your you will can be has made designed keeps gives comes fits whether every day long short trip home office garden winter summer weather rain wind sun cold warm dry light heavy strong soft firm easy quick simple clean safe care wash machine hand degrees inside outside pocket strap zip handle lid base edge surface frame cover lining sole seam finish fabric fibre steel wood glass leather cotton quality tested certified sustainable recycled packaging years warranty months guarantee included optional available several sizes colours size length width height weight capacity litres grams centimetres hours battery charge cable plug voltage power noise speed level setting mode display button remote app connects bluetooth control stores folds opens closes hangs stands holds carries protects supports adjusts reduces improves lasts works well even after many uses without tools assembly required minutes instructions manual parts spare replaced family friends children adults beginners professionals travel camping hiking running cycling cooking baking reading working sleeping comfort style classic modern design shape pattern detail perfect ideal suitable reliable popular choice gift season collection new improved version model series original brand european workshop region since")
)

func pick(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }

// text is n words of prose. The first ones of the list come more often, as words do.
func text(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		word := prose[int(float64(len(prose))*r.Float64()*r.Float64())]
		switch {
		case i%12 == 0:
			word = strings.ToUpper(word[:1]) + word[1:]
		case i%12 == 11 || i == n-1:
			word += "."
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}
