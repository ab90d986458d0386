package stack

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"path/filepath"
	"time"
)

// authority is a certificate authority for sentry, as PEM: a root, and an issuer that the root has signed. Natively sentry
// makes its own; containers need the root before sentry runs, since each sidecar is told it at its start.
type authority struct {
	Root      string `json:"root"`
	Issuer    string `json:"issuer"`
	IssuerKey string `json:"issuer_key"`
}

const authorityLife = 10 * 365 * 24 * time.Hour

func newAuthority(now time.Time) (authority, error) {
	rootPublic, rootKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return authority{}, err
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return authority{}, err
	}
	root := authorityTemplate(1, "localhost", now)
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootPublic, rootKey)
	if err != nil {
		return authority{}, err
	}
	issuerDER, err := x509.CreateCertificate(rand.Reader, authorityTemplate(2, identityAudience, now), root, public, rootKey)
	if err != nil {
		return authority{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return authority{}, err
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return authority{Root: text("CERTIFICATE", rootDER), Issuer: text("CERTIFICATE", issuerDER), IssuerKey: text("PRIVATE KEY", keyDER)}, nil
}

func authorityTemplate(serial int64, organization string, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{Organization: []string{organization}},
		NotBefore: now.Add(-15 * time.Minute), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (a authority) write(dir string) error {
	return errors.Join(
		replace(filepath.Join(dir, "ca.crt"), []byte(a.Root)),
		replace(filepath.Join(dir, "issuer.crt"), []byte(a.Issuer)),
		replace(filepath.Join(dir, "issuer.key"), []byte(a.IssuerKey)))
}
