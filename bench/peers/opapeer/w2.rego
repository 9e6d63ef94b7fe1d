package payments

default allow := false

allow if {
	input.verified
	input.age >= 18
	input.amount <= 500000
	input.risk < 0.75
	input.channel != "agent"
	input.country in {"DE", "FR", "AT"}
}
