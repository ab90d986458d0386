package stack

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The names in an identity token: Dapr's control plane knows a self-hosted app by them.
const (
	identityKeyID    = "local-1"
	identitySubject  = "spiffe://public/ns/default/"
	identityAudience = "spiffe://localhost/ns/default/dapr-sentry"
	identityLife     = 365 * 24 * time.Hour
)

// writeIdentities gives each app the token with which its sidecar, and no other process, gets the app's certificate from
// sentry, and sentry the public key to check it by.
func writeIdentities(dir, encodedKey string, now time.Time) error {
	der, err := base64.StdEncoding.DecodeString(encodedKey)
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("the identity key is not an elliptic one")
	}
	if err := writeKeySet(filepath.Join(dir, "jwks.json"), key); err != nil {
		return err
	}
	for _, app := range apps() {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"sub": identitySubject + app, "aud": identityAudience, "iat": now.Unix(), "exp": now.Add(identityLife).Unix(),
		})
		token.Header["kid"] = identityKeyID
		signed, err := token.SignedString(key)
		if err != nil {
			return err
		}
		if err := replace(filepath.Join(dir, app+".jwt"), []byte(signed)); err != nil {
			return err
		}
	}
	return nil
}

func writeKeySet(path string, key *ecdsa.PrivateKey) error {
	point, err := key.PublicKey.Bytes() // 0x04, X, Y
	if err != nil {
		return err
	}
	encode := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": identityKeyID,
		"x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
	if err != nil {
		return err
	}
	return replace(path, set)
}
