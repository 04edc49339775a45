// Package browser tests the playground as a person sees it: in Chromium, over the mock server, each a process of its own.
//
//	apt-get install chromium
//	cd interop/browser && go test .
//
// Without Chromium the tests are skipped, and say so; with PARLEY_INTEROP=required in the environment, as under make
// test, they fail instead. What they have seen is in the folder screenshots afterwards.
//
// Chromium is driven by chromedp: it speaks the browser's own protocol from Go, has no second runtime and no
// driver to install, and is still kept up. The package is a module of its own, so that nobody who uses Parley has to know of it.
package browser
