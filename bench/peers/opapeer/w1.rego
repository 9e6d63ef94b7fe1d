package offers

default best := null

best := choice if {
	rated := [rate(offer) | some offer in input.offers; eligible(offer)]
	top := max([choice.score | some choice in rated])
	some choice in rated
	choice.score == top
}

eligible(offer) if {
	offer.stock > 0
	offer.rating >= 3.5
	offer.days <= input.shopper.maxDays
	offer.price + offer.shipping <= input.shopper.budget
}

rate(offer) := {
	"offer": offer.id,
	"price": total,
	"score": score,
	"reason": reason(offer),
} if {
	total := offer.price + offer.shipping
	score := ((((input.shopper.budget - total) * 0.03125 +
		(offer.rating - 3) * 12.5) -
		(offer.days * offer.days) * 0.75) +
		offer.stock * 0.125) +
		bonus(offer) * input.shopper.novelty
}

bonus(offer) := 8 if {
	offer.condition == "new"
} else := 0

reason(offer) := "fast" if {
	offer.days <= 1
} else := "new" if {
	offer.condition == "new"
} else := "value"
