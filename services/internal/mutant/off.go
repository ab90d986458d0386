//go:build !crashpoints

package mutant

// On tells whether the mistake is to be made.
func On(Name) bool { return false }

// Schema is a statement to weaken a database with, "" for none.
func Schema() string { return "" }

// Linger passes the moment in which a mistake can be seen. It does nothing in this build.
func Linger() {}
