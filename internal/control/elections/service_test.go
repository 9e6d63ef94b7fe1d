package elections_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	v1 "towpath.dev/api/towpathv1"
	"towpath.dev/api/towpathv1/towpathv1connect"
	"towpath.dev/election"
	"towpath.dev/internal/control"
	"towpath.dev/internal/control/elections"
	"towpath.dev/internal/control/memstore"
	"towpath.dev/internal/testkit/etcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, etcd.Leftovers()...) }

type callerKey struct{}

// node is a control node that serves elections over HTTP, to whom the header says.
func node(t *testing.T, store control.Store, name string) (*httptest.Server, *elections.Service) {
	t.Helper()
	s := elections.New(store, elections.Options{Node: name, Caller: func(ctx context.Context) string {
		caller, _ := ctx.Value(callerKey{}).(string)
		return caller
	}})
	mux := http.NewServeMux()
	mux.Handle(towpathv1connect.NewElectionServiceHandler(s))
	mux.Handle("GET /v1/election/", s.Lines())
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, r.Header.Get("Caller"))))
	}))
	t.Cleanup(func() { s.Close(); web.CloseClientConnections(); web.Close() })
	return web, s
}

// user is a client with a name and connections of its own.
type user struct {
	towpathv1connect.ElectionServiceClient
	http *http.Client
}

type named struct {
	http.RoundTripper
	caller string
}

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Caller", n.caller)
	return n.RoundTripper.RoundTrip(r)
}

func as(t *testing.T, web *httptest.Server, caller string) *user {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := &http.Client{Transport: named{transport, caller}}
	return &user{towpathv1connect.NewElectionServiceClient(c, web.URL, connect.WithProtoJSON()), c}
}

// open opens a session and the stream of its events.
func (u *user) open(t *testing.T, r *v1.OpenSessionRequest) (string, *events) {
	t.Helper()
	answer, err := u.OpenSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetSession(), u.listen(t, answer.GetSession())
}

type events struct {
	*connect.ServerStreamForClient[v1.SessionEvent]
	cancel context.CancelFunc
}

func (u *user) listen(t *testing.T, session string) *events {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := u.SessionEvents(ctx, &v1.SessionEventsRequest{Session: session})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); stream.Close() })
	return &events{stream, cancel}
}

// next is the next event but signs of life.
func (e *events) next(t *testing.T) *v1.SessionEvent {
	t.Helper()
	for e.Receive() {
		if e.Msg().GetBeat() == nil {
			return e.Msg()
		}
	}
	t.Fatalf("the events ended: %v", e.Err())
	return nil
}

func (u *user) campaign(t *testing.T, session string, want int32) string {
	t.Helper()
	r, err := u.Campaign(t.Context(), &v1.CampaignRequest{Session: session, Group: "g", Want: want})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetCandidate()
}

func newStore(t *testing.T) *memstore.Store {
	store := memstore.New()
	t.Cleanup(store.Close)
	return store
}

func TestSessionsTakeTurns(t *testing.T) {
	store := newStore(t)
	web, _ := node(t, store, "n1")
	a, b := as(t, web, "a"), as(t, web, "b")
	sessionA, eventsA := a.open(t, &v1.OpenSessionRequest{Name: "a"})
	sessionB, eventsB := b.open(t, &v1.OpenSessionRequest{Name: "b"})
	for _, e := range []*events{eventsA, eventsB} {
		if e.next(t).GetSynced() == nil {
			t.Fatal("the events do not begin with what is held")
		}
	}
	a.campaign(t, sessionA, 1)
	first := eventsA.next(t).GetGranted()
	if first.GetSeat() != "0" {
		t.Fatalf("granted: %v", first)
	}
	candidate := b.campaign(t, sessionB, 1)
	// A client of etcd's competes for the same seats.
	s, err := election.Open(t.Context(), store, election.Options{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	if _, err := a.Resign(t.Context(), &v1.ResignRequest{Session: sessionB, Group: "g", Seat: "0", Token: first.GetToken()}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("another's session: %v", err)
	}
	if _, err := a.Resign(t.Context(), &v1.ResignRequest{Session: sessionA, Group: "g", Seat: "0", Token: first.GetToken(), To: "nobody"}); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("to nobody: %v", err)
	}
	if _, err := a.Move(t.Context(), &v1.MoveRequest{Group: "g", Seat: "0", To: candidate}); err != nil {
		t.Fatal(err)
	}
	if d := eventsA.next(t).GetDraining(); d.GetTo() != candidate {
		t.Errorf("draining: %v", d)
	}
	if _, err := a.Resign(t.Context(), &v1.ResignRequest{Session: sessionA, Group: "g", Seat: "0", Token: first.GetToken()}); err != nil {
		t.Fatal(err)
	}
	if eventsA.next(t).GetLost() == nil {
		t.Error("lost is not told")
	}
	second := eventsB.next(t).GetGranted()
	if second.GetToken().GetRevision() <= first.GetToken().GetRevision() {
		t.Errorf("%v after %v", second, first)
	}
	seats, err := s.Seats("g", election.SeatsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CloseSession(t.Context(), &v1.CloseSessionRequest{Session: sessionB}); err != nil {
		t.Fatal(err)
	}
	if _, err := seats.Campaign(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.RenewSession(t.Context(), &v1.RenewSessionRequest{Session: sessionB}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a session that was closed: %v", err)
	}
}

func TestSessionGoesToAnotherNode(t *testing.T) {
	store := newStore(t)
	first, _ := node(t, store, "n1")
	second, _ := node(t, store, "n2")
	one, two := as(t, first, "a"), as(t, second, "a")
	session, events := one.open(t, &v1.OpenSessionRequest{Name: "a"})
	events.next(t)
	one.campaign(t, session, 1)
	granted := events.next(t).GetGranted()

	there := two.listen(t, session)
	if g := there.next(t).GetGranted(); g.GetToken().GetRevision() != granted.GetToken().GetRevision() {
		t.Fatalf("at the other node: %v, expected %v", g, granted)
	}
	for events.Receive() { // the first node lets go of it
		if events.Msg().GetEnded() != nil || events.Msg().GetLost() != nil {
			t.Errorf("the first node tells %v", events.Msg())
		}
	}
	if _, err := two.Resign(t.Context(), &v1.ResignRequest{Session: session, Group: "g", Seat: "0", Token: granted.GetToken()}); err != nil {
		t.Fatal(err)
	}
	g, err := two.GetGroup(t.Context(), &v1.GetGroupRequest{Group: "g"})
	if err != nil || g.GetSeats()[0].GetCandidate() != "" {
		t.Errorf("%v, %v", g, err)
	}
	if _, err := as(t, second, "b").RenewSession(t.Context(), &v1.RenewSessionRequest{Session: session}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("another caller: %v", err)
	}
}

func TestDeadClientIsTakenOver(t *testing.T) {
	store := newStore(t)
	web, _ := node(t, store, "n1")
	dies, next := as(t, web, "a"), as(t, web, "b")
	session, events := dies.open(t, &v1.OpenSessionRequest{Name: "a", TtlSeconds: 300, EarlyTakeover: true})
	events.next(t)
	dies.campaign(t, session, 1)
	events.next(t)
	other, waits := next.open(t, &v1.OpenSessionRequest{Name: "b", TtlSeconds: 300})
	waits.next(t)
	next.campaign(t, other, 1)

	events.cancel() // it comes back in time
	events = dies.listen(t, session)
	if events.next(t).GetGranted() == nil {
		t.Fatal("it held the seat when it came back")
	}
	if _, err := dies.RenewSession(t.Context(), &v1.RenewSessionRequest{Session: session}); err != nil {
		t.Fatal(err)
	}
	events.cancel()
	if waits.next(t).GetGranted() == nil {
		t.Error("the seat was not taken over")
	}
}

func TestExpiredSessionTells(t *testing.T) {
	store := newStore(t)
	web, _ := node(t, store, "n1")
	a := as(t, web, "a")
	session, events := a.open(t, &v1.OpenSessionRequest{TtlSeconds: 1})
	events.next(t)
	a.campaign(t, session, 1)
	for e := events.next(t); e.GetEnded() == nil; e = events.next(t) {
	}
	if events.Receive() {
		t.Errorf("after the end: %v", events.Msg())
	}
}

func TestLines(t *testing.T) {
	store := newStore(t)
	web, _ := node(t, store, "n1")
	a := as(t, web, "a")
	session, _ := a.open(t, &v1.OpenSessionRequest{Name: "a"})
	lines := func(path string) (*http.Response, *bufio.Scanner) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", web.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := a.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer, bufio.NewScanner(answer.Body)
	}
	_, events := lines("/v1/election/sessions/" + session + "/events")
	_, changes := lines("/v1/election/groups/g/changes")
	until := func(s *bufio.Scanner, member string) map[string]any {
		t.Helper()
		for s.Scan() {
			var line map[string]any
			if err := json.Unmarshal(s.Bytes(), &line); err != nil {
				t.Fatalf("%s: %v", s.Text(), err)
			}
			if _, there := line[member]; there || line["kind"] == member {
				return line
			}
		}
		t.Fatalf("the lines ended before %s: %v", member, s.Err())
		return nil
	}
	until(events, "synced")
	until(changes, "KIND_SYNCED")
	a.campaign(t, session, 1)
	until(events, "granted")
	if seat, ok := until(changes, "KIND_HELD")["seat"].(map[string]any); !ok || seat["holderName"] != "a" {
		t.Errorf("held: %v", seat)
	}
	for path, status := range map[string]int{
		"/v1/election/sessions/nonsense/events":         400,
		"/v1/election/sessions/0123456789abcdef/events": 404,
		"/v1/election/groups/g/changes?from=x":          400,
		"/v1/election/groups/g/changes?from=-1":         400,
	} {
		answer, body := lines(path)
		body.Scan()
		var e struct{ Code, Message string }
		if err := json.Unmarshal(body.Bytes(), &e); err != nil || answer.StatusCode != status || e.Code == "" || e.Message == "" {
			t.Errorf("%s: %d %s", path, answer.StatusCode, body.Text())
		}
	}
}

func TestWrongRequests(t *testing.T) {
	web, _ := node(t, newStore(t), "n1")
	a := as(t, web, "a")
	session, _ := a.open(t, &v1.OpenSessionRequest{})
	if _, err := a.SetGroup(t.Context(), &v1.SetGroupRequest{Group: "shards", Config: &v1.GroupConfig{Partitions: []string{"p"}}}); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"partitions": second(a.Campaign(t.Context(), &v1.CampaignRequest{Session: session, Group: "shards", Want: 1})),
		"ttl":        second(a.OpenSession(t.Context(), &v1.OpenSessionRequest{TtlSeconds: 301})),
		"want":       second(a.Campaign(t.Context(), &v1.CampaignRequest{Session: session, Group: "g", Want: -1})),
		"group":      second(a.Campaign(t.Context(), &v1.CampaignRequest{Session: session, Group: "a/b", Want: 1})),
		"config":     second(a.SetGroup(t.Context(), &v1.SetGroupRequest{Group: "g", Config: &v1.GroupConfig{Seats: 1, Partitions: []string{"a"}}})),
		"candidate":  second(a.Drain(t.Context(), &v1.DrainRequest{Group: "g", Candidate: "x"})),
		"seat":       second(a.Move(t.Context(), &v1.MoveRequest{Group: "g", Seat: "7"})),
	} {
		var coded *connect.Error
		if !errors.As(err, &coded) || coded.Code() != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
