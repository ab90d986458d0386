// Package mutant names four mistakes that can be made on purpose, so that
// `make chaos-mutants` shows that a run of chaos would find them. Only a build
// with the tag "crashpoints" can make one, and only when CARAVAN_MUTANT names it;
// in any other build a mutant is a constant false that the compiler leaves out.
package mutant

// Name of a mistake, as CARAVAN_MUTANT says it.
type Name string

// The mistakes. The simulator makes the same four in its twins.
const (
	DroppedInbox Name = "inbox"   // no event is looked up in the inbox, or noted there
	EarlyPublish Name = "publish" // events leave before their transaction commits
	RefundTwice  Name = "refund"  // no unique index keeps a refund from being there twice
	NoStockGuard Name = "stock"   // stock is taken without looking at what is free
)
