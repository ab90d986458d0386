package daprstate

// Notes is what the worklist asks for.
var Notes = notes
