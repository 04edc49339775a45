package conn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/internal/wiretest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An authority signs the certificates of a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.sign(template)
	return a
}

// sign returns a certificate signed by the authority or, if that is empty, by
// its own key.
func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = template.NotAfter.Add(-24 * time.Hour)
	parent, signer := template, key
	if a.cert != nil && !template.IsCA {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return cert, key
}

func (a *authority) pair(template *x509.Certificate) tls.Certificate {
	cert, key := a.sign(template)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

var loopback = []net.IP{net.IPv4(127, 0, 0, 1)}

// serveTLS serves a session over either transport, with the given certificate.
func serveTLS(t *testing.T, config *tls.Config) string {
	upgrader := websocket.Upgrader{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("transport") == conn.Polling {
			switch {
			case r.Method == http.MethodPost:
				_, _ = io.Copy(io.Discard, r.Body)
			case r.URL.Query().Get("sid") == "":
				_, _ = io.WriteString(w, wiretest.OpenPacket+"\x1e40{\"sid\":\"s\"}")
			default:
				<-r.Context().Done()
			}
			return
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		p := &wiretest.Peer{WS: ws, Request: r}
		p.Welcome()
		p.UntilGone()
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = config
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

func TestRun_verifiesServerCertificate(t *testing.T) {
	trusted, stranger := newAuthority(t), newAuthority(t)
	self := &authority{t: t}
	for name, tc := range map[string]struct {
		server tls.Certificate
		client *tls.Config // nil: the default
		good   bool
	}{
		"of an authority that is trusted": {trusted.pair(&x509.Certificate{IPAddresses: loopback}), &tls.Config{RootCAs: trusted.pool()}, true},
		"of another authority":            {stranger.pair(&x509.Certificate{IPAddresses: loopback}), &tls.Config{RootCAs: trusted.pool()}, false},
		"of one that only we know":        {trusted.pair(&x509.Certificate{IPAddresses: loopback}), nil, false},
		"self-signed":                     {self.pair(&x509.Certificate{IPAddresses: loopback}), nil, false},
		"of another host": {trusted.pair(&x509.Certificate{DNSNames: []string{"elsewhere.example"}}),
			&tls.Config{RootCAs: trusted.pool()}, false},
		"expired": {trusted.pair(&x509.Certificate{IPAddresses: loopback, NotAfter: time.Now().Add(-time.Minute)}),
			&tls.Config{RootCAs: trusted.pool()}, false},
	} {
		for _, transport := range []string{conn.WebSocket, conn.Polling} {
			t.Run(name+" by "+transport, func(t *testing.T) {
				cfg := conn.Config{Transports: []string{transport}}
				if tc.client != nil {
					cfg.HTTP = &http.Transport{TLSClientConfig: tc.client}
				}
				c, ended, _ := start(t, serveTLS(t, &tls.Config{Certificates: []tls.Certificate{tc.server}}), cfg)
				if tc.good {
					require.NoError(t, c.Ready(t.Context()))
					return
				}
				var bad *tls.CertificateVerificationError
				assert.ErrorAs(t, wiretest.ReceiveFrom(t, ended), &bad, "the error ends Run")
			})
		}
	}
}

func TestHTTP_presentsClientCertificate(t *testing.T) {
	a := newAuthority(t)
	url := serveTLS(t, &tls.Config{
		Certificates: []tls.Certificate{a.pair(&x509.Certificate{IPAddresses: loopback})},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool(),
	})
	own := a.pair(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	for _, transport := range []string{conn.WebSocket, conn.Polling} {
		t.Run(transport, func(t *testing.T) {
			c, _, _ := start(t, url, conn.Config{
				Transports: []string{transport},
				HTTP:       &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{own}}},
			})
			require.NoError(t, c.Ready(t.Context()))

			_, ended, _ := start(t, url, conn.Config{
				Transports: []string{transport}, Reconnect: noRetry,
				HTTP: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool()}},
			})
			assert.Error(t, wiretest.ReceiveFrom(t, ended))
		})
	}
}
