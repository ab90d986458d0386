package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxVerified bounds each of the two generations of tokens that are remembered.
const maxVerified = 4096

// verified remembers tokens whose signature was checked against one set of
// keys, for a client sends the same one with each request. It answers for
// signature and claims alone: expiry is looked at each time, sessions are not
// its matter, and another set of keys empties it.
type verified struct {
	mu         sync.Mutex
	keys       *keySet
	young, old map[[sha256.Size]byte]checked
}

type checked struct {
	principal Principal
	expires   time.Time
}

func (v *verified) get(keys *keySet, token string, now time.Time) (Principal, bool) {
	digest := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys != keys {
		return Principal{}, false
	}
	c, found := v.young[digest]
	if !found {
		if c, found = v.old[digest]; found {
			v.keep(digest, c)
		}
	}
	return c.principal, found && now.Before(c.expires)
}

func (v *verified) put(keys *keySet, token string, c checked) {
	digest := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys != keys {
		v.keys, v.young, v.old = keys, nil, nil
	}
	v.keep(digest, c)
}

func (v *verified) keep(digest [sha256.Size]byte, c checked) {
	if v.young == nil || len(v.young) >= maxVerified {
		v.old, v.young = v.young, make(map[[sha256.Size]byte]checked)
	}
	v.young[digest] = c
}
