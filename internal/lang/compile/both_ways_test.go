package compile_test

import (
	"testing"

	"towpath.dev/internal/testkit/bothways"
	"towpath.dev/internal/testkit/evalcase"
)

// TestArchives runs the archives of testdata/lang/eval through the interpreter
// and through the engine, with and without the optimiser.
func TestArchives(t *testing.T) {
	cases, err := evalcase.Load("../../../testdata/lang/eval")
	if err != nil || len(cases) == 0 {
		t.Fatalf("%d archives: %v", len(cases), err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if err := bothways.Archive(t.Context(), c); err != nil {
				t.Error(err)
			}
			if err := bothways.InOtherWorlds(t, c); err != nil {
				t.Error(err)
			}
		})
	}
}
