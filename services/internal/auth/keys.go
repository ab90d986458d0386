package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// keySet is the published keys by their ids. It does not change once read.
type keySet struct{ byID map[string]verifyKey }

type verifyKey struct {
	alg string
	key any
}

// readKeys reads a JSON Web Key Set. One without a key to verify with is an
// error: it would refuse every token, where the last one still serves.
func readKeys(ctx context.Context, raw json.RawMessage) (*keySet, error) {
	read, err := keyfunc.NewJWKSetJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	all, err := read.Storage().KeyReadAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	set := &keySet{byID: make(map[string]verifyKey, len(all))}
	for _, k := range all {
		m := k.Marshal()
		if m.KID != "" && m.USE == "sig" {
			set.byID[m.KID] = verifyKey{alg: m.ALG.String(), key: k.Key()}
		}
	}
	if len(set.byID) == 0 {
		return nil, errors.New("key set: no key in it")
	}
	return set, nil
}

var errAlgorithm = errors.New("algorithm is not the key's")

// find is the jwt.Keyfunc of the set: a token names its key, and the key its
// algorithm (RFC 8725).
func (s *keySet) find(t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	k, known := s.byID[id]
	if !known {
		return nil, ErrUnknownKey
	}
	if k.alg != t.Method.Alg() {
		return nil, errAlgorithm
	}
	return k.key, nil
}
