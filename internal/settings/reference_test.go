package settings_test

import (
	"fmt"
	"strings"
	"testing"

	"towpath.dev/internal/settings"
)

func TestReplace(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"plain", "plain"},
		{"", ""},
		{"a ${env:X} b ${file:/run/s}", "a <env X> b </run/s>"},
		{"${env:X:-}${env:Y:-d:-e}", "<env X or ><env Y or d:-e>"},
		{"$ {env:X} $${env:X}", "$ {env:X} $<env X>"},
		{"${env:X", "never ends"},
		{"${X}", "`${X}` refers to nothing"},
		{"${env:}", "refers to nothing"},
		{"${file:}", "refers to nothing"},
	} {
		got, err := settings.Replace(test.text, func(r settings.Reference) (string, error) {
			switch {
			case r.Kind == "file":
				return "<" + r.Name + ">", nil
			case r.HasDefault:
				return fmt.Sprintf("<%s %s or %s>", r.Kind, r.Name, r.Default), nil
			}
			return fmt.Sprintf("<%s %s>", r.Kind, r.Name), nil
		})
		if err != nil {
			got = err.Error()
		}
		if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
			t.Errorf("%s: %s; want %s", test.text, got, test.want)
		}
	}
}

func TestReferencesOfAFile(t *testing.T) {
	f := settings.Parse("x.toml", []byte(`
a = "${env:B} ${env:A:-x}"
list = ["${file:k}", "${env:B}"]
n = 1
[t.u]
inline = { z = "before ${env:C} after ${none}" }
`))
	if got, want := fmt.Sprint(f.References()), "[${env:A:-x} ${env:B} ${env:C} ${file:k}]"; got != want || f.Err() != nil {
		t.Errorf("%s, %v; want %s", got, f.Err(), want)
	}
}
