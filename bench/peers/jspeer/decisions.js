// The decisions in JavaScript, for goja and for Node alike.

function eligible(offer, shopper) {
  return offer.stock > 0 && offer.rating >= 3.5 && offer.days <= shopper.maxDays &&
    offer.price + offer.shipping <= shopper.budget;
}

function rate(offer, shopper) {
  const total = offer.price + offer.shipping;
  const bonus = offer.condition === "new" ? 8 : 0;
  const score = (shopper.budget - total) * 0.03125 +
    (offer.rating - 3) * 12.5 -
    offer.days * offer.days * 0.75 +
    offer.stock * 0.125 +
    bonus * shopper.novelty;
  return { offer: offer.id, price: total, score, reason: reason(offer) };
}

function reason(offer) {
  return offer.days <= 1 ? "fast" : offer.condition === "new" ? "new" : "value";
}

function best({ shopper, offers }) {
  let top = null;
  for (const offer of offers) {
    if (!eligible(offer, shopper)) continue;
    const choice = rate(offer, shopper);
    if (top === null || choice.score > top.score) top = choice;
  }
  return top;
}

function allow(p) {
  return p.verified && p.age >= 18 && p.amount <= 500000 && p.risk < 0.75 && p.channel !== "agent" &&
    (p.country === "DE" || p.country === "FR" || p.country === "AT");
}

function floatLoop({ n }) {
  let acc = 0;
  for (let i = 0; i < n; i++) acc = acc * 1.000001 + 0.5;
  return acc;
}

function hashLoop({ n }) {
  let acc = 7;
  for (let i = 0; i < n; i++) acc = (acc * 31 + i) % 1000003;
  return acc;
}

function sumLoop({ n }) {
  let acc = 0;
  for (let i = 0; i < n; i++) acc = acc + i * 3 - 1;
  return acc;
}

function fib(n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

function fibonacci({ n }) {
  return fib(n);
}
