package main

// What titles and names are made of.
var (
	adjectives = []string{"Amber", "Arc", "Bold", "Brass", "Bright", "Calm", "Copper", "Deep", "Early", "Fine", "Grand", "Green",
		"Harbour", "Honest", "Ivory", "Lucky", "Lunar", "Maple", "Nordic", "Oak", "Plain", "Quiet", "Red", "Royal", "Silver",
		"Slim", "Solar", "Steady", "Stone", "Summer", "Swift", "True", "Velvet", "Warm", "White", "Winter"}
	things = []string{"backpack", "bicycle bell", "blender", "bookshelf", "camera", "coffee grinder", "desk lamp", "drill", "drone",
		"earphones", "fan", "frying pan", "garden chair", "hair dryer", "headlamp", "kettle", "keyboard", "kitchen scale", "knife",
		"monitor arm", "mouse", "notebook", "picture frame", "power bank", "printer", "rice cooker", "router", "sleeping bag",
		"speaker", "stapler", "suitcase", "tent", "thermos", "toaster", "tripod", "umbrella", "vacuum cleaner", "vase", "wallet", "watch"}
	makers   = []string{"Altora", "Bergen & Co", "Cando", "Dorn", "Elka", "Fjell", "Gotō", "Helio", "Isar", "Juno", "Kestrel", "Lumen & Söhne", "Mori", "Norfolk", "Ostara", "Pico"}
	shops    = []string{"Attic", "Bazaar", "Corner", "Depot", "Direct", "Emporium", "Exchange", "Goods", "House", "Market", "Outlet", "Outpost", "Store", "Supply", "Trading", "Warehouse"}
	carriers = []string{"Bluebird", "Courier One", "Parcelpost", "Yamabiko"}
)
