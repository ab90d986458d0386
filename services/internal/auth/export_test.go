package auth

// Remembered counts the tokens that a verifier remembers.
func Remembered(r *Remote) int { return len(r.seen.young) + len(r.seen.old) }

// Forget makes a verifier check every token anew.
func Forget(r *Remote) { r.seen.young, r.seen.old = nil, nil }
