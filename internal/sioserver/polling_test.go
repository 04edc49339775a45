package sioserver_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed67206a74/parley/internal/sioserver"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answered is the response to a request in the background.
type answered struct {
	status int
	body   string
}

// background sends a request in a goroutine that ends with the response.
func (r *rig) background(method, query, body string) <-chan answered {
	done := make(chan answered, 1)
	go func() {
		request, _ := http.NewRequestWithContext(r.Context(), method, r.url+"?EIO=4&"+query, strings.NewReader(body))
		response, err := r.client.Do(request)
		if err != nil {
			done <- answered{}
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		done <- answered{response.StatusCode, string(text)}
	}()
	return done
}

// connectPolling opens a long-polling session in the main namespace.
func (r *rig) connectPolling() string {
	query := r.poll()
	status, body := r.request("POST", query, "40")
	require.Equal(r, http.StatusOK, status)
	require.Equal(r, "ok", body)
	var heard string
	for !strings.HasSuffix(heard, `42["auth",{}]`) {
		status, body = r.request("GET", query, "")
		require.Equal(r, http.StatusOK, status)
		heard += body
	}
	return query
}

func TestPolling_carriesPackets(t *testing.T) {
	for name, c := range map[string]struct{ post, want string }{
		"one":     {`42["message","hello"]`, `42["message-back","hello"]`},
		"several": {"42[\"message\",1]\x1e42[\"message\",2]\x1e42[\"message\",3]", "42[\"message-back\",1]\x1e42[\"message-back\",2]\x1e42[\"message-back\",3]"},
		"binary":  {"451-[\"message\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==", "451-[\"message-back\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA=="},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, sioserver.Config{})
			query := r.connectPolling()
			status, body := r.request("POST", query, c.post)
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, "ok", body)
			var heard []string
			for len(strings.Join(heard, "\x1e")) < len(c.want) {
				status, body = r.request("GET", query, "")
				require.Equal(t, http.StatusOK, status)
				heard = append(heard, body)
			}
			assert.Equal(t, c.want, strings.Join(heard, "\x1e"))
		})
	}
}

func TestPolling_closesSessionOnInvalidPost(t *testing.T) {
	for name, body := range map[string]string{
		"unknown type":                  "abc",
		"empty":                         "",
		"empty packet":                  "40\x1e42[\"message\",1]\x1e",
		"broken base64":                 "b!!!",
		"a ping, which is the server's": "2",
		"too long":                      "4" + strings.Repeat("x", 1_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, sioserver.Config{})
			query := r.poll()
			status, _ := r.request("POST", query, body)
			if name == "too long" {
				assert.Equal(t, http.StatusRequestEntityTooLarge, status)
			} else if body != "2" {
				assert.Equal(t, http.StatusBadRequest, status)
			}
			status, _ = r.request("GET", query, "")
			assert.Equal(t, http.StatusBadRequest, status)
		})
	}
}

func TestPolling_ignoresPacketsAfterInvalidOne(t *testing.T) {
	heard := make(chan string, 10)
	r := serve(t, sioserver.Config{})
	r.server.Namespace("/", sioserver.Handlers{
		Event:      func(e *sioserver.Event) { heard <- e.Name },
		Disconnect: func(_ *sioserver.Socket, reason sioserver.Reason) { heard <- string(reason) },
	})
	status, _ := r.request("POST", r.poll(), "40\x1e42[\"first\"]\x1eabc\x1e42[\"second\"]")
	assert.Equal(t, http.StatusBadRequest, status)
	r.server.Close()
	close(heard)
	var all []string
	for name := range heard {
		all = append(all, name)
	}
	assert.NotContains(t, all, "second")
}

func TestPolling_closesSessionOnOctetStream(t *testing.T) {
	r := serve(t, sioserver.Config{})
	query := r.poll()
	response := r.do("POST", "EIO=4&"+query, "4hello", http.Header{"Content-Type": {"application/octet-stream"}})
	assert.Equal(t, http.StatusBadRequest, response.StatusCode)
	status, _ := r.request("GET", query, "")
	assert.Equal(t, http.StatusBadRequest, status)
}

func TestPolling_closesSessionOnDuplicateGet(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		query := r.poll()
		first := r.background("GET", query, "")
		synctest.Wait()
		status, _ := r.request("GET", query, "")
		assert.Equal(r, http.StatusBadRequest, status)
		assert.Equal(r, answered{http.StatusOK, "1"}, <-first)
		status, _ = r.request("GET", query, "")
		assert.Equal(r, http.StatusBadRequest, status)
	})
}

func TestPolling_closesSessionOnDuplicatePost(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		query := r.poll()
		body, rest := io.Pipe()
		defer rest.Close()
		request, err := http.NewRequestWithContext(r.Context(), "POST", r.url+"?EIO=4&"+query, body)
		require.NoError(r, err)
		first := make(chan int, 1)
		go func() { // ends when the server gives the request up
			response, err := r.client.Do(request)
			if err != nil {
				first <- 0
				return
			}
			response.Body.Close()
			first <- response.StatusCode
		}()
		_, err = rest.Write([]byte("42"))
		require.NoError(r, err)
		synctest.Wait()
		status, _ := r.request("POST", query, "40")
		assert.Equal(r, http.StatusBadRequest, status)
		assert.NotEqual(r, http.StatusOK, <-first)
		status, _ = r.request("GET", query, "")
		assert.Equal(r, http.StatusBadRequest, status)
	})
}

func TestPolling_closesSessionOnCancelledGet(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		query := r.poll()
		ctx, cancel := context.WithCancel(r.Context())
		request, err := http.NewRequestWithContext(ctx, "GET", r.url+"?EIO=4&"+query, nil)
		require.NoError(r, err)
		failed := make(chan error, 1)
		go func() { _, err := r.client.Do(request); failed <- err }()
		synctest.Wait()
		cancel()
		assert.Error(r, <-failed)
		synctest.Wait()
		status, _ := r.request("GET", query, "")
		assert.Equal(r, http.StatusBadRequest, status)
	})
}

func TestPolling_servesGetAndPostAtTheSameTime(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		query := r.connectPolling()
		get := r.background("GET", query, "")
		synctest.Wait()
		status, _ := r.request("POST", query, `42["message",1]`)
		assert.Equal(r, http.StatusOK, status)
		assert.Equal(r, answered{http.StatusOK, `42["message-back",1]`}, <-get)
	})
}

func TestPolling_endsSessionByClosePacket(t *testing.T) {
	inBubble(t, sioserver.Config{}, func(r *rig) {
		query := r.poll()
		get := r.background("GET", query, "")
		synctest.Wait()
		status, body := r.request("POST", query, "1\x1e40")
		assert.Equal(r, http.StatusOK, status)
		assert.Equal(r, "ok", body)
		assert.Equal(r, answered{http.StatusOK, "6"}, <-get)
		status, _ = r.request("GET", query, "")
		assert.Equal(r, http.StatusBadRequest, status)
	})
}

func TestPolling_rejectsOtherMethods(t *testing.T) {
	r := serve(t, sioserver.Config{})
	query := r.poll()
	status, _ := r.request("PUT", query, "40")
	assert.Equal(t, http.StatusBadRequest, status)
	status, _ = r.request("POST", query, "40")
	assert.Equal(t, http.StatusOK, status, "the session continues")
}

func TestPolling_compressesLongBodies(t *testing.T) {
	r := serve(t, sioserver.Config{Compress: true})
	query := r.connectPolling()
	long := strings.Repeat("long ", 1000)
	r.request("POST", query, `42["message","`+long+`"]`)
	response := r.do("GET", "EIO=4&"+query, "", nil)
	assert.True(t, response.Uncompressed, "net/http has decompressed it")
	assert.Equal(t, `42["message-back","`+long+`"]`, read(t, response))
}

func TestHeartbeat_pingsOverPolling(t *testing.T) {
	inBubble(t, fast, func(r *rig) {
		query := r.poll()
		for range 3 {
			start := time.Now()
			status, body := r.request("GET", query, "")
			assert.Equal(r, http.StatusOK, status)
			assert.Equal(r, "2", body)
			assert.Equal(r, 300*time.Millisecond, time.Since(start))
			status, _ = r.request("POST", query, "3")
			assert.Equal(r, http.StatusOK, status)
		}
	})
}

func TestHeartbeat_closesSilentSessions(t *testing.T) {
	inBubble(t, fast, func(r *rig) {
		query := r.poll()
		time.Sleep(500*time.Millisecond + 1)
		status, _ := r.request("GET", query, "")
		assert.Equal(r, http.StatusBadRequest, status)

		w := r.open()
		start := time.Now()
		assert.Equal(r, "2", w.read())
		w.closed()
		assert.Equal(r, 500*time.Millisecond, time.Since(start))
	})
}

func TestHeartbeat_pingsOverWebSocket(t *testing.T) {
	inBubble(t, fast, func(r *rig) {
		w := r.open()
		w.write("40")
		w.read()
		w.read()
		for range 10 {
			assert.Equal(r, "2", w.read())
			w.write("3")
		}
	})
}

func TestHeartbeat_acceptsEarlyPong(t *testing.T) {
	inBubble(t, fast, func(r *rig) {
		w := r.open()
		w.write("40")
		w.read()
		w.read()
		start := time.Now()
		time.Sleep(200 * time.Millisecond)
		w.write("3")
		assert.Equal(r, "2", w.read())
		assert.Equal(r, 500*time.Millisecond, time.Since(start), "an interval after the pong")
	})
}
