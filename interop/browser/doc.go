// Package browser tests the playground in Chromium. The playground and the mock
// server run as processes.
//
//	apt-get install chromium
//	cd interop && go test ./browser
//
// The tests are skipped without Chromium. With PARLEY_INTEROP=required in the
// environment, as under make test, they fail instead. Screenshots are written
// to the folder screenshots.
//
// The tests control Chromium with chromedp, which uses the browser's protocol
// from Go and needs no driver or other runtime.
package browser
