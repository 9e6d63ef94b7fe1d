package main

import "strings"

// version changes when the same seed gives other tables than before.
const version = 1

// table is a table of the market.
type table struct {
	name    string
	columns string
	indexes string
	rows    func(m *market) int // how many about
	write   func(m *market, w writer) error
}

// The types of columns are {text}, {int}, {flag}, {amount}, {span}, {instant} and
// {date}, and stand for PostgreSQL's own and for what SQLite has instead: texts,
// as JSON writes them.
var tables = []table{
	{
		name: "products",
		columns: `
  id            {text} primary key,
  title         {text} not null,
  maker         {text} not null,
  list_price    {amount},
  list_currency {text}`,
		rows:  func(m *market) int { return m.products },
		write: (*market).writeProducts,
	},
	{
		name: "merchants",
		columns: `
  id         {text} primary key,
  name       {text} not null,
  region     {text} not null,
  joined     {date} not null,
  rating     {amount} not null, -- the mean, 1 to 5
  ratings    {int} not null,
  late_share {amount} not null, -- of the parcels, 0 to 1
  suspended  {flag} not null`,
		rows:  func(m *market) int { return len(m.merchants) },
		write: (*market).writeMerchants,
	},
	{
		name: "transit_times",
		columns: `
  merchant {text} not null,
  region   {text} not null, -- where the parcel goes
  carrier  {text} not null,
  transit  {span} not null,
  primary key (merchant, region)`,
		rows:  func(m *market) int { return len(m.merchants) * len(regions) },
		write: (*market).writeTransit,
	},
	{
		name: "offers",
		columns: `
  id        {text} primary key,
  product   {text} not null,
  merchant  {text} not null,
  condition {text} not null,
  grade     {int}, -- of what is used, 1 to 5
  currency  {text} not null,
  shipping  {amount} not null,
  handling  {span} not null,
  listed    {instant} not null`,
		indexes: `create index offers_product on offers (product)`,
		rows:    func(m *market) int { return m.offers },
		write:   (*market).writeOffers,
	},
	{
		name: "price_history",
		columns: `
  offer {text} not null,
  since {instant} not null,
  until {instant}, -- null of what holds now
  price {amount} not null, -- in the offer's currency
  stock {int} not null,
  primary key (offer, since)`,
		indexes: `create index price_current on price_history (offer, price, stock) where until is null`,
		rows:    func(m *market) int { return 3 * m.offers },
		write:   (*market).writeHistory,
	},
	{
		name: "about",
		columns: `
  name  {text} primary key,
  value {text} not null`,
		rows:  func(*market) int { return 1 },
		write: func(m *market, w writer) error { return w("made", m.made()) },
	},
}

// view joins offers with what holds of them now.
const view = `create view current_offers as
  select o.id, o.product, o.merchant, o.condition, o.grade, o.currency, o.shipping, o.handling, o.listed, h.price, h.stock, h.since
  from offers o join price_history h on h.offer = o.id and h.until is null`

var (
	inPostgres = strings.NewReplacer("{text}", "text", "{int}", "bigint", "{flag}", "boolean", "{amount}", "numeric",
		"{span}", "interval", "{instant}", "timestamptz", "{date}", "date")
	inSQLite = strings.NewReplacer("{text}", "text", "{int}", "integer", "{flag}", "integer", "{amount}", "text",
		"{span}", "text", "{instant}", "text", "{date}", "text")
)

// create is the statement that makes the table.
func (t *table) create(types *strings.Replacer) string {
	return "create table " + t.name + " (" + types.Replace(t.columns) + "\n)"
}

// width is how many columns there are.
func (t *table) width() int {
	n := 0
	for line := range strings.Lines(t.columns) {
		if strings.Contains(line, "{") {
			n++
		}
	}
	return n
}
