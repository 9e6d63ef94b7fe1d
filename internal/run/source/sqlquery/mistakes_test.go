package sqlquery

import (
	"errors"
	"strings"
	"testing"

	"towpath.dev/internal/run/source"
	"towpath.dev/internal/settings"
)

func TestMistakesInStatements(t *testing.T) {
	for _, c := range []struct{ op, sql, want string }{
		{"count", "select count(*)\nfrom items where kind = :kynd",
			"`sql`: line 2: there is no parameter `kynd`; did you mean `kind`? There is `kind`, `region`"},
		{"found", "select id from items where note = :query",
			"`sql`: line 1: :query has members; name one of them, as :query.text"},
		{"found", "select call, id from calls join items on note = calls.text",
			"`sql`: line 1: in `calls` there is no column `text`; there is `call`, `query.text`, `query.near.late-share`, `query.near.region`, `query.most.amount`, `query.most.currency`"},
		{"count", "select call, 1 from calls where kind = :kind",
			"`sql`: it reads `calls`, which has all calls, and names :kind of one call; do either"},
		{"count", "select 1", "`sql`: it uses none of the parameters; name them as :kind, :region, or read them from `calls`"},
		{"count", "delete from items where kind = :kind",
			"`sql`: it begins with delete; a statement that is asked for one call is a select. One that writes reads `calls`"},
		{"count", "select 'x", "`sql`: line 1: a quotation begins that does not end; close it with '"},
		{"count", " ", "`count` is missing its `sql`, the statement that answers it"},
	} {
		for _, kind := range []string{"type = \"sqlite\"\nfile = \"x.db\"\n", "type = \"postgres\"\nurl = \"postgres://h/d\"\n"} {
			s := (&world{settings: kind}).open(t, "")
			caller, err := bind(t, s, c.op, c.sql)
			if caller != nil || err == nil || err.Error() != "env/test.toml:2:1: "+c.want {
				t.Errorf("%s: %v\nexpected %s", c.sql, err, c.want)
			}
		}
	}
}

func TestMistakesInSources(t *testing.T) {
	for given, want := range map[string]string{
		"":                    "env/x.toml:1:2: `db` is missing its `type`; expected postgres or sqlite",
		"type = \"postgres\"": "env/x.toml:1:2: `db` is missing its `url`",
		"type = \"sqlite\"":   "env/x.toml:1:2: `db` is missing its `file`",
		"type = \"oracle\"":   "env/x.toml:2:1: `type` is \"oracle\"; expected one of postgres, sqlite",
		"type = \"sqlite\"\nfile = \"x\"\nmode = \"w\"": "env/x.toml:4:1: `mode` is \"w\"; expected one of read-only, read-write, immutable",
		"type = \"postgres\"\nurl = \"postgres://u:secret@h:port/d\"": "env/x.toml:3:1: `url` is no address of a PostgreSQL database; " +
			"expected postgres://user:password@host:5432/database",
	} {
		f := settings.Parse("env/x.toml", []byte("[db]\n"+given+"\n"))
		s := Open(f.Root.Table("db"), "")
		if err := f.Err(); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nexpected %s", given, err, want)
		}
		// A broken source still notes the mistakes of operations.
		if _, err := bind(t, s, "count", "select :no"); err == nil || !strings.Contains(err.Error(), "no parameter `no`") {
			t.Errorf("%s: the operation's mistake is %v", given, err)
		}
		if s.Probe(t.Context(), nil) == nil {
			t.Errorf("%s: a probe succeeds", given)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// misfits are statements that a probe refuses, and a call as well.
var misfits = []struct{ op, sql, want, postgres, lite string }{
	{op: "price", sql: "select id, amount from items where id = :id",
		want: "the statement gives id, amount; Money has no `id`, and `currency` is missing"},
	{op: "items", sql: "select call, id, stock, amount as \"price.cents\" from calls, (select id, 1 as stock, amount from items) o",
		want: "the statement gives call, id, stock, price.cents; Item has no `stock`, `price.cents`, and `sellerId`, `price.amount`, " +
			"`price.currency`, `weight`, `ratio`, `count`, `fresh`, `made`, `seen`, `takes`, `grade.type`, `region`, `tags` are missing"},
	{op: "brief", sql: "select id, width as \"Count\" from items where id = :id",
		want: "the statement gives id, Count; Brief has no `Count`"},
	{op: "brief", sql: "select id as \"ID\" from items where id = :id",
		want: "the statement gives ID; Brief has no `ID`, and `id` (`ID` is there; write as \"id\" with the quotes) is missing"},
	{op: "count", sql: "select count(*), 1 as one from items where kind = :kind",
		postgres: "the statement gives count, one; Int has no `one`", lite: "the statement gives count(*), one; Int has no `one`"},
	{op: "count", sql: "select count(*) as n from calls, items",
		want: "the statement gives n; `call` is missing"},
	{op: "ids", sql: "select call from calls", want: "the statement gives call; a column for the Id is missing"},
	{op: "count", sql: "select made from items where kind = :kind", postgres: "the statement gives made; `made` is date; expected Int"},
	{op: "item", sql: "select id, array['x'] as tags from items i where id = :id", postgres: "`tags` is text[]; expected the JSON of List<String>, as of to_jsonb()"},
	{op: "count", sql: "select no from items where kind = :kind",
		postgres: "PostgreSQL says 42703, column \"no\" does not exist", lite: "SQLite says: SQL logic error: no such column: no"},
	{op: "count", sql: "select call, 1 from calls c where c.kynd = ''",
		postgres: "PostgreSQL says 42703, column c.kynd does not exist; `calls` has call, kind, region",
		lite:     "SQLite says: SQL logic error: no such column: c.kynd; `calls` has call, kind, region"},
	{op: "count", sql: "selec :kind", postgres: "", lite: ""},
}

func probeMisfits(t *testing.T, w *world) {
	for _, c := range misfits {
		want := c.want
		if w.name == "postgres" && c.postgres != "" {
			want = c.postgres
		} else if w.name == "sqlite" && c.lite != "" {
			want = c.lite
		}
		if want == "" {
			continue
		}
		s := w.open(t, "")
		caller := mustBind(t, s, c.op, c.sql)
		err := s.Probe(t.Context(), []source.Caller{caller})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "shop.Shop."+c.op+": ") {
			t.Errorf("%s:\n%v\nexpected\n%s", c.sql, err, want)
		}
		r := call(t.Context(), t, caller, strings.Replace(`["x","Japan"]`, `,"Japan"`, map[bool]string{true: `,"Japan"`}[c.op == "count"], 1))[0]
		if r.err == nil {
			t.Errorf("%s: a call is answered by %s", c.sql, r.answer)
		}
		var e, f *source.Error
		if !errors.As(err, &e) || !errors.As(r.err, &f) || e.Kind != f.Kind || e.Kind != source.Unfit && e.Kind != source.Refused {
			t.Errorf("%s: the probe says %v, a call %v", c.sql, err, r.err)
		}
	}
}
