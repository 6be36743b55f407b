//go:build tools

// Package tools names the server, so that go.mod and go.sum pin it with all it is made of.
package tools

import _ "github.com/centrifugal/centrifugo/v5"
