//go:build solo

package main

// clusterPrograms are those that scripts of clusters have beside tow.
var clusterPrograms map[string]func()
