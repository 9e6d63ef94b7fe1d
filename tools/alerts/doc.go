// Package alerts has Prometheus evaluate the alarm rules of deploy/alerts over series as
// processes would export them: which alarms fire, of what, from when, until when.
//
// A story is what happens, as Prometheus's own tests write series:
//
//	load 1m
//	  towpath_backup_every_seconds{cluster="prod",instance="a"} 60x30
//
// and what is expected of it are lines such as
//
//	BackupAbsent prod from 10m
//
// It is a module of its own, so that Prometheus's engine is in nobody's build.
package alerts
