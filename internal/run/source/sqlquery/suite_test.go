package sqlquery

import (
	"testing"

	"towpath.dev/internal/run/source"
)

// columns spells an Item.
const columns = `i.id, seller as "sellerId", amount as "price.amount", currency as "price.currency", was as "was.amount",
  case when was is not null then currency end as "was.currency", weight, ratio, count, fresh, made, seen, takes,
  gtype as "grade.type", grade as "grade.grade", region, tags, extra, width as "size.width", height as "size.height", note`

// The items a, b and c as JSON.
const (
	itemA = `{"id":"a","sellerId":"Ann \"A.\" O\\'Hara\n\u0001","price":{"amount":"19.90","currency":"EUR"},` +
		`"weight":"12345678901234567890.123456789","ratio":0.1,"count":9007199254740993,"fresh":true,"made":"2026-01-31",` +
		`"seen":"2026-01-31T09:30:00.123456Z","takes":"1d2h30m","grade":{"type":"New"},"region":"Europe","tags":["x","ü"],` +
		`"extra":{"b":[1,2.50]},"size":{"width":3,"height":4,"unit":"mm"},"note":""}`
	itemB = `{"id":"b","sellerId":"Bo","price":{"amount":"1234567890123456789","currency":"JPY"},"was":{"amount":"0.5","currency":"JPY"},` +
		`"weight":"-0.001","ratio":1e+300,"count":-1,"fresh":false,"made":"0001-01-01","seen":"1969-12-31T23:59:59.5Z",` +
		`"takes":"-250ms","grade":{"type":"Used","grade":3},"region":"Japan","tags":[]}`
	itemC = `{"id":"c","sellerId":"Çi","price":{"amount":"0.00","currency":"USD"},"weight":"1.5","ratio":-2,"count":0,"fresh":false,` +
		`"made":"9999-12-31","seen":"2200-01-01T00:00:00Z","takes":"0s","grade":{"type":"Refurbished"},"region":"NorthAmerica",` +
		`"tags":["\\","\""],"extra":null,"size":{"width":0,"height":-1,"unit":"mm"},"note":"n"}`
)

// suite is what both databases answer alike.
var suite = []struct {
	name, op, sql string
	args, want    []string
}{
	{
		name: "a list in one statement", op: "items",
		sql:  `select call, ` + columns + ` from calls join items i on i.kind = calls.kind order by i.id`,
		args: []string{`["l"]`, `["none"]`, `["k"]`},
		want: []string{"[" + itemC + "]", "[]", "[" + itemA + "," + itemB + "]"},
	},
	{
		name: "a list for each call", op: "items",
		sql:  `select ` + columns + ` from items i where kind = :kind order by id desc; -- no more`,
		args: []string{`["k"]`, `["none"]`, `["l"]`},
		want: []string{"[" + itemB + "," + itemA + "]", "[]", "[" + itemC + "]"},
	},
	{
		name: "rows of a call that do not follow each other", op: "ids",
		sql:  `select id, call from calls, items i where i.kind >= calls.kind order by id`,
		args: []string{`["l"]`, `["k"]`, `["k"]`, `["z"]`},
		want: []string{`["c"]`, `["a","b","c"]`, `["a","b","c"]`, `[]`},
	},
	{
		name: "one or none", op: "item",
		sql:  `with picked as (select * from items) select ` + columns + ` from picked i where id = :id`,
		args: []string{`["b"]`, `["x"]`}, want: []string{itemB, "null"},
	},
	{
		name: "one or none in one statement that begins with another name", op: "item",
		sql:  `with recursive picked as (select * from items) select call, ` + columns + ` from calls join picked i on i.id = calls.id`,
		args: []string{`["b"]`, `["x"]`}, want: []string{itemB, "null"},
	},
	{
		name: "one, its default left to the type", op: "brief", sql: `select id from items where id >= :id`,
		args: []string{`["c"]`, `["a"]`, `["x"]`},
		want: []string{`{"id":"c","count":0}`,
			"failed: the statement gives 3 rows for the call; expected one Brief at most",
			"failed: the statement gives no row for the call; expected one Brief. Where there need be none, let the operation return Brief?"},
	},
	{
		name: "a scalar by two parameters", op: "count",
		sql:  `select count(*) from items where kind = :kind and region = :region and :kind <> '''' /* :no ' */ and '::x' <> :region -- :or`,
		args: []string{`["k","Europe"]`, `["l","Europe"]`}, want: []string{"1", "0"},
	},
	{
		name: "a Money or none", op: "price",
		sql:  `select was as "amount", case when was is null then null else currency end as currency from items where id = :id and was is not null`,
		args: []string{`["a"]`, `["b"]`}, want: []string{"null", `{"amount":"0.5","currency":"JPY"}`},
	},
	{
		name: "a variant", op: "grade", sql: `select gtype as type, grade from items where id = :id`,
		args: []string{`["a"]`, `["b"]`}, want: []string{`{"type":"New"}`, `{"type":"Used","grade":3}`},
	},
	{
		name: "no parameters", op: "all", sql: `select id from items order by id`,
		args: []string{`[]`, `[]`}, want: []string{`["a","b","c"]`, `["a","b","c"]`},
	},
	{
		name: "no parameters in one statement", op: "all", sql: `select call, id from calls, items order by id`,
		args: []string{`[]`, `[]`}, want: []string{`["a","b","c"]`, `["a","b","c"]`},
	},
	{
		name: "a duration", op: "takes", sql: `select takes from items where id = :id`,
		args: []string{`["a"]`, `["b"]`}, want: []string{`"1d2h30m"`, `"-250ms"`},
	},
	{
		name: "members of records", op: "found",
		sql: `select call, id, count from calls join items i on i.note = "query.text" and i.width < cast("query.near.late-share" as integer)
		  where "query.near.region" is null and "query.most.amount" is null and "query.most.currency" is null`,
		args: []string{`[{"text":"n","near":{"late-share":"1"}}]`, `[{"text":"n","near":{"late-share":"0"}}]`,
			`[{"text":"n","near":{"late-share":"1","region":"Japan"}}]`, `[{"text":"n","near":{"late-share":"1"},"most":{"amount":"1","currency":"JPY"}}]`},
		want: []string{`[{"id":"c","count":0}]`, "[]", "[]", "[]"},
	},
}

// echoes are statements that give their parameters back, all types in one JSON.
var echoes = []struct {
	name, op, postgres, lite string
	args, want               []string
}{
	{
		name: "every type in one statement", op: "echo",
		postgres: `select call, json_build_array(text, n, x, d, yes, "on", at = '2026-01-31T09:30:00Z', extract(epoch from takes)::bigint, json)::text from calls`,
		lite:     `select call, json_array(text, n, x, json(d), json(iif(yes, 'true', 'false')), "on", json(iif(at = '2026-01-31T09:30:00Z', 'true', 'false')), iif(takes = '1d1h', 90000, 0), json(json)) from calls`,
		args: []string{
			`["a\"\\\n\u0001é{},NULL",-9223372036854775808,0.5,"12345678901234567.5",true,"2026-01-31","2026-01-31T09:30:00Z","1d1h",{"a":["\\\"",null]}]`,
			`["",7,1.5e+22,"0",false,"0001-01-01","1969-12-31T23:00:00Z","0s",[]]`,
		},
		want: []string{
			`["a\"\\\n\u0001é{},NULL",-9223372036854775808,0.5,12345678901234567.5,true,"2026-01-31",true,90000,{"a":["\\\"",null]}]`,
			`["",7,1.5e+22,0,false,"0001-01-01",false,0,[]]`,
		},
	},
	{
		name: "every type for each call", op: "echo",
		postgres: `select json_build_array(:text, :n, :x, :d, :yes, :on, :at = '2026-01-31T09:30:00Z', extract(epoch from :takes)::bigint, :json)::text`,
		lite:     `select json_array(:text, :n, :x, json(:d), json(iif(:yes, 'true', 'false')), :on, json(iif(:at = '2026-01-31T09:30:00Z', 'true', 'false')), iif(:takes = '1d1h', 90000, 0), json(:json))`,
		args: []string{
			`["\ud83d\ude00\/\b\f\r\t",1,-1.25,"-0.50",true,"2026-12-31","2026-01-31T09:30:00Z","1d1h","text"]`,
		},
		want: []string{
			`["😀/\b\f\r\t",1,-1.25,-0.50,true,"2026-12-31",true,90000,"text"]`,
		},
	},
	{
		name: "what is not there", op: "maybe",
		postgres: `select call, json_build_array(text, list, "query.text", "query.near.late-share", "query.near.region", "query.most.amount", "query.most.currency") from calls`,
		lite:     `select call, json_array(text, json(list), "query.text", "query.near.late-share" + 0, "query.near.region", "query.most.amount" + 0, "query.most.currency") from calls`,
		args: []string{
			`[null,null,null]`,
			`["t",[1,2],{"text":"q","near":{"late-share":"1","region":"Japan"},"most":{"amount":"5","currency":"JPY"}}]`,
			`[null,null,{"text":"q","near":{"late-share":"2"}}]`,
		},
		want: []string{
			`[null,null,null,null,null,null,null]`,
			`["t",[1,2],"q",1,"Japan",5,"JPY"]`,
			`[null,null,"q",2,null,null,null]`,
		},
	},
	{
		name: "what is not there for each call", op: "maybe",
		postgres: `select json_build_array(:text, :list, :query.text, :query.most.amount)`,
		lite:     `select json_array(:text, json(:list), :query.text, :query.most.amount)`,
		args:     []string{`[null,[],{"text":"q","near":{"late-share":"1"}}]`},
		want:     []string{`[null,[],"q",null]`},
	},
}

func TestSuiteOnSQLite(t *testing.T) { runSuite(t, sqliteWorld(t)) }

func TestSuiteOnPostgres(t *testing.T) {
	w, _ := postgresWorld(t)
	runSuite(t, w)
}

func runSuite(t *testing.T, w *world) {
	s := w.open(t, "")
	var callers []source.Caller
	for _, c := range suite {
		t.Run(c.name, func(t *testing.T) { callers = append(callers, check(t, s, c.op, c.sql, c.args, c.want)) })
	}
	for _, c := range echoes {
		sql := c.postgres
		if w.name == "sqlite" {
			sql = c.lite
		}
		t.Run(c.name, func(t *testing.T) { callers = append(callers, check(t, s, c.op, sql, c.args, c.want)) })
	}
	if err := s.Probe(t.Context(), callers); err != nil {
		t.Error(err)
	}
}

// check asks a batch twice, the second time warm.
func check(t *testing.T, s *Source, op, sql string, args, want []string) source.Caller {
	t.Helper()
	c := mustBind(t, s, op, sql)
	for range 2 {
		for i, r := range call(t.Context(), t, c, args...) {
			wanted := want[i]
			if wanted[0] != 'f' || wanted == "false" {
				wanted = canonical(t, meta(t, op).Result, wanted)
			}
			if got := r.text(t, meta(t, op).Result); got != wanted {
				t.Errorf("%s%s is\n%s\nexpected\n%s", op, args[i], got, wanted)
			}
		}
	}
	return c
}
