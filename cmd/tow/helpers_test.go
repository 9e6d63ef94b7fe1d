package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The commands that scripts have beside tow. Those that are programs are this test
// binary too.

// until runs a command again and again until it succeeds and says what is wanted,
// and shows what it said: until REGEXP COMMAND ARGS...
func until() {
	const bound = 20 * time.Second
	want := regexp.MustCompile("(?m)" + os.Args[1])
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		said, err := exec.Command(os.Args[2], os.Args[3:]...).CombinedOutput()
		late := time.Since(begin) > bound
		if late || err == nil && want.Match(said) {
			fmt.Printf("%s", said)
			if late {
				fmt.Fprintf(os.Stderr, "until: %v; no %q within %s\n", err, want, bound)
				os.Exit(1)
			}
			return
		}
	}
}

// ask shows an answer of a server's, with its status and headers:
// ask METHOD URL [BODY [HEADER: VALUE]...]
func ask() {
	body := ""
	if len(os.Args) > 3 {
		body = os.Args[3]
	}
	r, err := http.NewRequest(os.Args[1], os.Args[2], strings.NewReader(body))
	if err != nil {
		exit(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, h := range os.Args[min(4, len(os.Args)):] {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		exit(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	if err := resp.Header.Write(os.Stdout); err != nil {
		exit(err)
	}
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		exit(err)
	}
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// prices is a service on the port that it finds in PORT.
func prices() {
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /die", func(http.ResponseWriter, *http.Request) {
		fmt.Print("a last word")
		os.Exit(7)
	})
	http.HandleFunc("GET /price/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch id := r.PathValue("id"); id {
		case "slow":
			<-r.Context().Done() // the caller has left
		case "down":
			http.Error(w, "closed for tonight", http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, len(id))
		}
	})
	fmt.Println("prices are told")
	exit(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

// ports that scripts have had.
var givenPorts struct {
	sync.Mutex
	given []string
}

// setPort sets variables to free ports, each to one of its own: port NAME...
func setPort(ts *testscript.TestScript, neg bool, names []string) {
	if neg || len(names) == 0 {
		ts.Fatalf("usage: port NAME...")
	}
	givenPorts.Lock()
	defer givenPorts.Unlock()
	for _, name := range names {
		port, err := freePort()
		for err == nil && slices.Contains(givenPorts.given, port) {
			port, err = freePort()
		}
		ts.Check(err)
		givenPorts.given = append(givenPorts.given, port)
		ts.Setenv(name, port)
	}
}

// sendSignal sends a process what kill cannot: signal HUP|TERM FILE, which holds
// the process's number.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal HUP|TERM FILE")
	}
	signal, ok := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[0])
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	process, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(process.Signal(signal))
}

// makeCert writes cert.pem and key.pem, for 127.0.0.1: cert.
func makeCert(ts *testscript.TestScript, _ bool, _ []string) {
	public, key, err := ed25519.GenerateKey(nil)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(nil, template, template, public, key)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(block), 0o600))
	}
}
