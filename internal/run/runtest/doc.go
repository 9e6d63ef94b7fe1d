// Package runtest breaks whole responders: a program is compiled, its environment
// read, its sources connected over loopback, and requests asked over a listener,
// while services, clients and disks do what they do in production on bad days.
//
// Every fault is to end in an answer that says what happened, or in what an else
// gives; nothing of it is to be left; and the request after it is to be right.
//
// There are tests here and nothing else.
package runtest
