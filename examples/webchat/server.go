package main

import (
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"

	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/chat/chathttp"
	"github.com/seed67206a74/parley/events"
)

//go:embed dist
var dist embed.FS

// maxChatID is the maximal length of a chat id that is accepted.
const maxChatID = 100

func newServer(client *chat.Client) (*chathttp.Server, error) {
	return chathttp.New(client, chathttp.Config{
		Authorize: visitor,
		// An answer continues during a reload, and without a tab.
		OnLeave: chathttp.ContinueOnLeave,
		// Each visitor has rooms of their own.
		Room: func(v chathttp.Visitor, id string) events.ID { return events.StringID(v.UserID.String() + "/" + id) },
	})
}

// cookie has a secret that identifies a visitor. A program with accounts has a
// session in its place.
const cookie = "visitor"

// visitor returns the sender of a request.
func visitor(r *http.Request) (chathttp.Visitor, error) {
	secret, err := r.Cookie(cookie)
	if err != nil {
		return chathttp.Visitor{}, err
	}
	id := sha256.Sum256([]byte(secret.Value)) // the backend does not get the secret
	return chathttp.Visitor{
		UserID: events.StringID(hex.EncodeToString(id[:8])),
		MayUse: func(id string) bool { return len(id) <= maxChatID },
	}, nil
}

// contentPolicy allows the page to load from its own origin only.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// handler serves the page and the chat.
func handler(web *chathttp.Server) http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // it is embedded
	}
	page := http.FileServerFS(files)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat", web.AISDK)
	mux.HandleFunc("GET /api/chat/{id}/stream", web.ResumeAISDK)
	mux.HandleFunc("POST /api/chat/{id}/stop", web.Stop)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(cookie); err != nil {
			http.SetCookie(w, &http.Cookie{Name: cookie, Value: rand.Text(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		}
		page.ServeHTTP(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	})
}
