// Package election elects leaders on etcd: one, several, or thousands of named ones,
// spread over the processes that want to lead.
package election
