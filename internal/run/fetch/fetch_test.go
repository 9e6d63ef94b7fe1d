package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"towpath.dev/internal/lang/compile"
	"towpath.dev/internal/run/engine"
	"towpath.dev/internal/run/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const shop = `
service Stock {
  fn left(item: Int) -> Int batch 10 within 100ms
  fn price(item: Int) -> Int batch 10 within 100ms cache 1s shared
  fn mine(item: Int) -> Int batch 10 within 100ms cache 1s per caller
  fn again(item: Int) -> Int batch 10 within 100ms idempotent
}

view left(items: List<Int>) -> List<Int> { items |> map(i => Stock.left(i)) }
view price(items: List<Int>) -> List<Int> { items |> map(i => Stock.price(i)) }
view hasty(items: List<Int>) -> List<Int> { (items |> map(i => Stock.price(i))) within 10ms else [] }
view mine(items: List<Int>) -> List<Int> { items |> map(i => Stock.mine(i)) }
view twice(items: List<Int>) -> List<Int> { items |> map(i => Stock.left(Stock.left(i))) }
view again(items: List<Int>) -> List<Int> { items |> map(i => Stock.again(i) else 0 - 1) }
`

// service is a source that answers a call with its argument after a while.
type service struct {
	took time.Duration

	mu      sync.Mutex
	batches []string                                // the arguments of each
	gone    int                                     // batches whose context ended first
	answer  func(n int, arg string) (string, error) // n counts batches; nil echoes
}

func (s *service) Call(ctx context.Context, b *source.Batch, done func(int, []byte, error)) {
	s.mu.Lock()
	n := len(s.batches)
	s.batches = append(s.batches, fmt.Sprintf("%s", b.Args))
	s.mu.Unlock()
	select {
	case <-time.After(s.took):
	case <-ctx.Done():
		s.mu.Lock()
		s.gone++
		s.mu.Unlock()
		for i := range b.Args {
			done(i, nil, ctx.Err())
		}
		return
	}
	for i, args := range b.Args {
		arg := string(args[1 : len(args)-1])
		if s.answer == nil {
			done(i, []byte(arg), nil)
			continue
		}
		body, err := s.answer(n, arg)
		done(i, []byte(body), err)
	}
}

// world is a program over a service.
type world struct {
	*engine.Program
	*Fetcher
	service *service

	mu     sync.Mutex
	events []Event
}

var built = sync.OnceValue(func() []byte { return build(shop) })

// build is the artifact of a program.
func build(text string) []byte {
	res, err := compile.Build(fstest.MapFS{"shop.tow": {Data: []byte(text)}}, compile.Options{})
	if err != nil {
		panic(err)
	}
	if res.Diags.HasErrors() {
		panic(res.Diags.All[0])
	}
	return res.Artifact
}

func start(t *testing.T, s *service) *world { return startOn(t, s, nil, nil, "k") }

// startOn starts a program on what others have in common.
func startOn(t *testing.T, s *service, cache *Cache, sources *Sources, key string) *world {
	t.Helper()
	return startAs(t, built(), s, cache, sources, key)
}

// startAs starts another version of the program.
func startAs(t *testing.T, artifact []byte, s *service, cache *Cache, sources *Sources, key string) *world {
	t.Helper()
	p, err := engine.Load(t.Context(), artifact, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Program: p, service: s}
	bound := make([]Bound, len(p.Manifest().Operations))
	for i := range bound {
		bound[i] = Bound{Caller: s, Source: "stock", Key: key}
	}
	w.Fetcher = New(p.Manifest(), bound, Options{Cache: cache, Sources: sources, Observe: func(e Event) {
		w.mu.Lock()
		w.events = append(w.events, e)
		w.mu.Unlock()
	}})
	return w
}

func (w *world) stop(t *testing.T) {
	w.Wait()
	if err := w.Program.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func (w *world) ask(ctx context.Context, view, items, caller string) string {
	v, err := w.View(view)
	if err != nil {
		return err.Error()
	}
	s := w.Session(source.About{Caller: caller})
	out, err := v.Do(ctx, nil, engine.Request{Input: []byte(`{"items":` + items + `}`), Source: s})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(out)
}

func (w *world) expect(t *testing.T, view, items, caller, want string) {
	t.Helper()
	if got := w.ask(context.Background(), view, items, caller); got != want {
		t.Errorf("%s%s is %s, want %s", view, items, got, want)
	}
}

func (s *service) expect(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.batches, want) {
		t.Errorf("the service was asked %q, want %q", s.batches, want)
	}
}

func TestCallsOfARequestAreOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{took: 5 * time.Millisecond})
		defer w.stop(t)
		w.expect(t, "left", "[1,2,1,3]", "", "[1,2,1,3]")
		w.expect(t, "left", "[1]", "", "[1]")
		w.service.expect(t, "[[1] [2] [3]]", "[[1]]")
	})
}

func TestCacheAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{took: 5 * time.Millisecond})
		defer w.stop(t)
		w.expect(t, "price", "[1,2]", "", "[1,2]")
		w.expect(t, "price", "[2,3]", "", "[2,3]")
		time.Sleep(2 * time.Second) // of the test's own time
		w.expect(t, "price", "[3]", "", "[3]")
		w.service.expect(t, "[[1] [2]]", "[[3]]", "[[3]]")
		if e := w.events[1]; e.Calls != 2 || e.Hits != 1 || e.Joined != 0 {
			t.Errorf("the second ask is told as %+v", e)
		}
	})
}

func TestCachePerCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{})
		defer w.stop(t)
		w.expect(t, "mine", "[1]", "ann", "[1]")
		w.expect(t, "mine", "[1]", "bob", "[1]")
		w.expect(t, "mine", "[1]", "ann", "[1]")
		w.expect(t, "mine", "[1]", "", "[1]") // one of many whom nobody knows
		w.expect(t, "mine", "[1]", "", "[1]")
		w.service.expect(t, "[[1]]", "[[1]]", "[[1]]", "[[1]]")
	})
}

func TestConcurrentRequestsShareCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{took: 20 * time.Millisecond})
		defer w.stop(t)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { w.expect(t, "price", "[1,2]", "", "[1,2]") })
		}
		wg.Wait()
		w.service.expect(t, "[[1] [2]]")
	})
}

// TestSharedCallOutlivesTheHasty: the request that asked gives up, another that
// joined still gets the answer.
func TestSharedCallOutlivesTheHasty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{took: 50 * time.Millisecond})
		defer w.stop(t)
		var wg sync.WaitGroup
		wg.Go(func() { w.expect(t, "hasty", "[1]", "", "[]") })
		synctest.Wait()
		wg.Go(func() { w.expect(t, "price", "[1]", "", "[1]") })
		wg.Wait()
		w.service.expect(t, "[[1]]")
		if w.service.gone != 0 {
			t.Error("the call was given up")
		}
	})
}

// TestSharedCallNobodyWaitsForIsGivenUp: also when those who left last had only
// joined.
func TestSharedCallNobodyWaitsForIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{took: time.Hour})
		defer w.stop(t)
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 3 {
			ctx, leave := context.WithTimeout(context.Background(), time.Duration(i+1)*time.Millisecond)
			defer leave()
			wg.Go(func() { w.ask(ctx, "price", "[1,2]", "") })
			synctest.Wait()
		}
		wg.Wait()
		w.Wait()
		if took := time.Since(begin); took != 3*time.Millisecond || w.service.gone != 1 {
			t.Errorf("it took %s, and %d batches were given up", took, w.service.gone)
		}
		w.service.expect(t, "[[1] [2]]")
	})
}

// TestRestOfASharedFlightIsGivenUp: when nobody waits for what is left of it.
func TestRestOfASharedFlightIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{})
		defer w.stop(t)
		for _, op := range w.ops {
			op.caller = half{}
		}
		begin := time.Now()
		w.expect(t, "hasty", "[1,2]", "", "[]")
		w.Wait()
		if took := time.Since(begin); took != 10*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}

// half answers the first of its calls, and fails the others when nobody waits.
type half struct{}

func (half) Call(ctx context.Context, b *source.Batch, done func(int, []byte, error)) {
	done(0, []byte("1"), nil)
	<-ctx.Done()
	for i := range b.Args[1:] {
		done(i+1, nil, ctx.Err())
	}
}

// one answers its calls one by one, each after as many milliseconds as its argument.
type one struct {
	start time.Time
	mu    sync.Mutex
	asked []string
}

func (o *one) Call(_ context.Context, b *source.Batch, done func(int, []byte, error)) {
	var wg sync.WaitGroup
	for i, args := range b.Args {
		wg.Go(func() {
			o.mu.Lock()
			o.asked = append(o.asked, fmt.Sprintf("%s at %s", args, time.Since(o.start)))
			o.mu.Unlock()
			var n int
			_, _ = fmt.Sscanf(string(args), "[%d]", &n)
			time.Sleep(time.Duration(n) * time.Millisecond)
			done(i, fmt.Append(nil, n+1), nil)
		})
	}
	wg.Wait()
}

// TestAnswersDoNotWaitForEachOther: what is asked with an answer is asked when that
// has come, though others of its batch have not.
func TestAnswersDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{})
		defer w.stop(t)
		o := &one{start: time.Now()}
		for _, op := range w.ops {
			op.caller = o
		}
		w.expect(t, "twice", "[1,50]", "", "[3,52]")
		slices.Sort(o.asked)
		if want := []string{"[1] at 0s", "[2] at 1ms", "[50] at 0s", "[51] at 50ms"}; !slices.Equal(o.asked, want) {
			t.Errorf("asked %q, want %q", o.asked, want)
		}
	})
}

func TestCallNobodyWaitsForIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{took: time.Hour})
		defer w.stop(t)
		begin := time.Now()
		w.expect(t, "hasty", "[1]", "", "[]")
		w.Wait()
		if took := time.Since(begin); took != 10*time.Millisecond || w.service.gone != 1 {
			t.Errorf("it took %s, and %d batches were given up", took, w.service.gone)
		}
		ctx, leave := context.WithCancel(context.Background())
		time.AfterFunc(3*time.Millisecond, leave)
		if got := w.ask(ctx, "left", "[1]", ""); got != "error: context canceled" {
			t.Errorf("a request whose client left: %s", got)
		}
		w.Wait()
		if w.service.gone != 2 {
			t.Error("the call of a client that left goes on")
		}
	})
}

func TestRetriesWithinTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(n int, arg string) (string, error) {
			if n%2 == 0 {
				return "", source.Errorf(source.Unavailable, "busy")
			}
			return arg, nil
		}}
		w := start(t, s)
		defer w.stop(t)
		w.expect(t, "again", "[1]", "", "[1]")  // the budget starts with one
		w.expect(t, "again", "[2]", "", "[-1]") // and is spent
		w.expect(t, "left", "[3]", "", "[3]")   // what is not idempotent is asked once
		w.service.expect(t, "[[1]]", "[[1]]", "[[2]]", "[[3]]")
		if e := w.events[0]; e.Retried != 1 || e.Failed != 0 {
			t.Errorf("the retried ask is told as %+v", e)
		}
	})
}

func TestBreakerLeavesASourceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		s := &service{answer: func(_ int, arg string) (string, error) {
			if down {
				return "", source.Errorf(source.Unreachable, "no route")
			}
			return arg, nil
		}}
		w := start(t, s)
		defer w.stop(t)
		for range 40 {
			w.ask(context.Background(), "left", "[1]", "")
		}
		if n := len(s.batches); n < 20 || n >= 30 {
			t.Errorf("the dead source was asked %d times of 40", n)
		}
		if e := w.events[39]; e.Kind != source.Unavailable {
			t.Errorf("the last ask is told as %+v", e)
		}
		down = false
		time.Sleep(2 * time.Second)
		w.expect(t, "left", "[7]", "", "[7]")
	})
}

func TestUnfitAnswersAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(n int, arg string) (string, error) {
			if n == 0 {
				return `"no number"`, nil
			}
			return arg, nil
		}}
		w := start(t, s)
		defer w.stop(t)
		if got := w.ask(context.Background(), "price", "[1]", ""); got == "[1]" {
			t.Error("an answer that does not fit was taken")
		}
		w.expect(t, "price", "[1]", "", "[1]")
	})
}

// silent breaks the contract: it answers one call twice and others never.
type silent struct{}

func (silent) Call(_ context.Context, b *source.Batch, done func(int, []byte, error)) {
	done(0, []byte("1"), nil)
	done(0, nil, errors.New("again"))
}

func TestSourceThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, &service{})
		defer w.stop(t)
		for _, op := range w.ops {
			op.caller = silent{}
		}
		w.expect(t, "again", "[1,2]", "", "[1,-1]")
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := NewCache(16 * 1000)
	now := time.Now()
	for i := range 1000 {
		c.put(fmt.Sprint("key", i), make([]byte, 100), now.Add(time.Hour))
		if i%10 == 0 {
			c.get("key0", now) // stays
		}
	}
	n, bytes := c.Size()
	if bytes > 16*1000 || n < 16 {
		t.Errorf("it holds %d answers, %d bytes", n, bytes)
	}
	c.put("large", make([]byte, 5000), now.Add(time.Hour))
	if _, ok := c.get("large", now); ok {
		t.Error("an answer larger than its shard is kept")
	}
	c.drop("key0")
	if _, ok := c.get("key0", now); ok {
		t.Error("a dropped answer is there")
	}
}
