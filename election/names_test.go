package election

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestNamesHaveOneOrder(t *testing.T) {
	want := []string{"0", "2", "10", "1a", "eu-1", "eu-10", "ü"}
	for range 1000 {
		names := slices.Clone(want)
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		if slices.SortFunc(names, byNumber); !slices.Equal(names, want) {
			t.Fatalf("%q, expected %q", names, want)
		}
	}
}
