//go:build race

package simulator_test

// The race detector makes a run some ten times slower: fewer seeds then.
const raceEnabled = true
