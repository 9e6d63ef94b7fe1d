// Package register is what leaders write to in a proof: registers behind a guard. Each
// seat has a mark, the greatest token that has come with a batch, and registers that hold
// numbers. A batch with a lower token is refused; any other one raises the mark and is
// done, in one step that is durable before it is answered.
//
// The log of what was accepted and refused is all that the server keeps: a new one
// reads it and goes on from there.
package register

import (
	"encoding/gob"
	"errors"
	"net"
	"sync"

	"towpath.dev/election"
	"towpath.dev/internal/proof/history"
)

// A Batch is operations that are done together or not at all.
type Batch struct {
	Who    string
	Number uint64 // which one of Who's
	Seat   string
	Token  election.Token
	Ops    []history.Op
}

// An Answer is what became of a batch.
type Answer struct {
	Number  uint64
	Refused bool
	Values  []uint64 // what its reads found, in order
}

// A Server has the registers.
type Server struct {
	log      *history.Log
	guarded  bool
	requests chan request

	// The goroutine of Serve's loop owns these.
	marks  map[string]election.Token
	values map[cell]uint64
}

type cell struct {
	seat     string
	register uint32
}

type request struct {
	batch  Batch
	answer chan<- Answer
}

// Open goes on from what a log says. Without guarded nothing is refused, which is
// what a run has to find out.
func Open(name string, guarded bool) (*Server, error) {
	log, err := history.Open(name)
	if err != nil {
		return nil, err
	}
	s := &Server{
		log: log, guarded: guarded, requests: make(chan request, 256),
		marks: map[string]election.Token{}, values: map[cell]uint64{},
	}
	past, err := history.Read(name)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	for _, r := range past {
		if r.Kind == history.Accepted {
			s.do(Batch{r.Who, r.Batch, r.Seat, r.Token, r.Ops})
		}
	}
	return s, nil
}

// Serve answers until the listener is closed, or the log cannot be written.
func (s *Server) Serve(l net.Listener) error {
	var serving sync.WaitGroup
	ended := make(chan error, 1)
	serving.Go(func() {
		err := s.loop()
		ended <- err
		if err != nil {
			l.Close()
		}
	})
	var open sync.WaitGroup
	for {
		conn, err := l.Accept()
		if err != nil {
			break
		}
		open.Go(func() {
			defer conn.Close()
			s.serve(conn)
		})
	}
	open.Wait()
	close(s.requests)
	serving.Wait()
	return errors.Join(<-ended, s.log.Close())
}

// serve answers one client.
func (s *Server) serve(conn net.Conn) {
	answers := make(chan Answer, 1024)
	var writing sync.WaitGroup
	writing.Go(func() {
		out := gob.NewEncoder(conn)
		for a := range answers {
			if out.Encode(a) != nil {
				conn.Close()
			}
		}
	})
	var pending sync.WaitGroup
	in := gob.NewDecoder(conn)
	for {
		var b Batch
		if in.Decode(&b) != nil {
			break
		}
		answer := make(chan Answer, 1)
		s.requests <- request{b, answer}
		pending.Go(func() {
			if a, ok := <-answer; ok {
				answers <- a
			}
		})
	}
	pending.Wait()
	close(answers)
	writing.Wait()
}

// loop does what has come, makes it durable, and answers.
func (s *Server) loop() error {
	var failed error
	for first := range s.requests {
		waiting := []request{first}
		for len(s.requests) > 0 {
			waiting = append(waiting, <-s.requests)
		}
		answers := make([]Answer, len(waiting))
		records := make([]history.Record, len(waiting))
		for i, w := range waiting {
			answers[i], records[i] = s.decide(w.batch)
		}
		if failed == nil {
			failed = errors.Join(s.log.Write(records...), s.log.Sync())
		}
		for i, w := range waiting {
			if failed == nil {
				w.answer <- answers[i]
			}
			close(w.answer)
		}
	}
	return failed
}

// decide does a batch or refuses it.
func (s *Server) decide(b Batch) (Answer, history.Record) {
	record := history.Record{At: history.Now(), Kind: history.Accepted, Who: b.Who, Batch: b.Number, Seat: b.Seat, Token: b.Token, Ops: b.Ops}
	if s.guarded && b.Token.Compare(s.marks[b.Seat]) < 0 {
		record.Kind = history.Refused
		return Answer{Number: b.Number, Refused: true}, record
	}
	record.Values = s.do(b)
	return Answer{Number: b.Number, Values: record.Values}, record
}

// do raises the mark and does what the batch says.
func (s *Server) do(b Batch) []uint64 {
	if b.Token.Compare(s.marks[b.Seat]) > 0 {
		s.marks[b.Seat] = b.Token
	}
	var found []uint64
	for _, op := range b.Ops {
		c := cell{b.Seat, op.Register}
		if op.Value == 0 {
			found = append(found, s.values[c])
		} else {
			s.values[c] = op.Value
		}
	}
	return found
}

// A Client sends batches over one connection, several at once.
type Client struct {
	conn  net.Conn
	ended chan struct{} // closed when reading has ended

	mu      sync.Mutex
	out     *gob.Encoder
	waiting map[uint64]chan Answer
	broken  bool
}

// NewClient uses a connection, and closes it.
func NewClient(conn net.Conn) *Client {
	c := &Client{conn: conn, out: gob.NewEncoder(conn), waiting: map[uint64]chan Answer{}, ended: make(chan struct{})}
	go c.read()
	return c
}

// Send sends a batch and returns where its answer comes; the channel closes without
// one when it is not known what became of it.
func (c *Client) Send(b Batch) <-chan Answer {
	answer := make(chan Answer, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.broken {
		c.waiting[b.Number] = answer
		if c.out.Encode(b) == nil {
			return answer
		}
		delete(c.waiting, b.Number)
		c.broken = true
		c.conn.Close()
	}
	close(answer)
	return answer
}

func (c *Client) read() {
	defer close(c.ended)
	in := gob.NewDecoder(c.conn)
	for {
		var a Answer
		err := in.Decode(&a)
		c.mu.Lock()
		if err != nil {
			c.broken = true
			for _, waiting := range c.waiting {
				close(waiting)
			}
			clear(c.waiting)
			c.mu.Unlock()
			return
		}
		if waiting := c.waiting[a.Number]; waiting != nil {
			waiting <- a
			delete(c.waiting, a.Number)
		}
		c.mu.Unlock()
	}
}

// Ended is closed when the connection has ended.
func (c *Client) Ended() <-chan struct{} { return c.ended }

// Close ends the connection and waits until its goroutine has ended.
func (c *Client) Close() {
	c.conn.Close()
	<-c.ended
}
