package settings

import "testing"

func TestTables(t *testing.T) {
	f := Parse("deploy.toml", []byte(`alpha = 2
beta = 0.5
gamma = nan
[[wave]]
name = "first"
shar = 1
[wave.more]
x = 1
[[wave]]
nam = "second"
share = "much"
[onebox]
share = 0
[inline]
list = [{ a = 1 }, { b = 2 }]
off = false
mixed = [1, {}]
`))
	root := f.Root
	if got := root.Float("alpha", 0.25, 0, 1); got != 0.25 {
		t.Errorf("alpha is %v", got)
	}
	if got := root.Float("beta", 0, 0, 1); got != 0.5 {
		t.Errorf("beta is %v", got)
	}
	root.Float("gamma", 0, 0, 1)
	waves := root.Tables("wave")
	if len(waves) != 2 {
		t.Fatalf("%d waves", len(waves))
	}
	for _, w := range waves {
		w.Text("name", "")
		w.Float("share", 1, 0, 1)
		more := w.Table("more")
		more.Done()
		w.Done()
	}
	root.Table("onebox").Float("share", 1, 0, 1)
	inline := root.Table("inline")
	for _, one := range inline.Tables("list") {
		one.Int("a", 0, 0, 9)
		one.Done()
	}
	inline.Tables("mixed")
	if !inline.Off("off") || inline.Off("list") || inline.Off("none") {
		t.Error("false is not off, or something else is")
	}
	inline.Done()
	root.Done()
	want := "deploy.toml:1:1: `alpha` is 2; expected a number above 0, and at most 1\n" +
		"deploy.toml:3:1: `gamma` is NaN; expected a number above 0, and at most 1\n" +
		"deploy.toml:6:1: there is no setting `shar` in `wave`; there is `more`, `name`, `share`\n" +
		"deploy.toml:8:1: there is no setting `x` in `wave.more`\n" +
		"deploy.toml:10:1: there is no setting `nam` in `wave`; there is `more`, `name`, `share`\n" +
		"deploy.toml:11:1: `share` is a text; expected a number\n" +
		"deploy.toml:13:1: `share` is 0; expected a number above 0, and at most 1\n" +
		"deploy.toml:15:22: there is no setting `b` in `inline.list`; there is `a`\n" +
		"deploy.toml:17:1: `mixed` has a whole number in it; expected tables, each headed by [[mixed]]"
	if err := f.Err(); err == nil || err.Error() != want {
		t.Errorf("mistakes:\n%v\nwant:\n%s", err, want)
	}
}
