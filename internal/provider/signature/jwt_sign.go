package signature

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

const privateKeyBlock = "PRIVATE KEY"

// NewSigningKey makes a private key for samples, in PEM, and the key set in
// which an issuer would publish its public half. Nobody else knows it, so it is
// good for a server that fetches that very key set.
func NewSigningKey() (private string, keySet []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		return "", nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", nil, err
	}
	keySet, err = json.Marshal(map[string]any{"keys": []jwk{{
		Type: "RSA", Use: "sig", Algorithm: "RS256", KeyID: keyID(&key.PublicKey),
		N: base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		E: base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}}, json.OmitZeroStructFields(true))
	if err != nil {
		return "", nil, err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der})), keySet, nil
}

// IsSigningKey says whether a text is a private key in PEM, and not a secret.
func IsSigningKey(text string) bool { return strings.HasPrefix(text, "-----BEGIN "+privateKeyBlock) }

// SignJWT returns a token with the payload: RS256 with a private key in PEM,
// else HS256 with the secret.
func SignJWT(key string, payload []byte) (string, error) {
	if !IsSigningKey(key) {
		if err := checkHMACSecret(key); err != nil {
			return "", err
		}
		return signJWT(jwt.SigningMethodHS256, []byte(key), `{"alg":"HS256","typ":"JWT"}`, payload)
	}
	private, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(key))
	if err != nil {
		return "", errors.New("signing key is not an RSA key in PEM")
	}
	return signJWT(jwt.SigningMethodRS256, private, `{"alg":"RS256","kid":"`+keyID(&private.PublicKey)+`","typ":"JWT"}`, payload)
}

func signJWT(method jwt.SigningMethod, key any, header string, payload []byte) (string, error) {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := method.Sign(signed, key)
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// keyID names a key of our own after itself.
func keyID(key *rsa.PublicKey) string {
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(key))
	return "sample-" + base64.RawURLEncoding.EncodeToString(sum[:12])
}
