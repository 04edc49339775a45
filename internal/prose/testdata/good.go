// Package good has the words to avoid where they are no prose.
//
//	nobody reads code
//
// Deprecated: it is an example.
package good

import _ "nobody/reads this"

// A Value has fields with comments that are sentences of their own.
type Value struct {
	first  int `nobody:"reads tags"` // the first of the four comments in the lines of a struct
	second int // the second of the four comments in the lines of a struct
	third  int // the third of the four comments in the lines of a struct
	fourth int // the fourth of the four comments in the lines of a struct
}

//nobody:reads this directive

const nobody = "nobody" // one word is an identifier

// Page is text for a browser.
const Page = `nobody reads raw strings`

// Quote is a text of the server.
//
//prose:allow Words: the text quotes a server
const Quote = "nobody is here"

// See https://example.com/a/very/long/address/that/no/line/of/eighty/columns/can/hold/at/all
// for more.
