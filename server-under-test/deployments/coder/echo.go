// An echo server as the documentation of coder/websocket writes it. Two settings differ from the defaults: the read limit (32 KiB would
// refuse the large cases) and the compression mode, whose default offers no permessage-deflate.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/coder/websocket"
)

const readLimit = 64 << 20

var options = websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &options)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(readLimit)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return l
}

func main() {
	http.HandleFunc("/", echo)
	plain, secure := listen(), listen()
	go func() { log.Fatal(http.ServeTLS(secure, nil, os.Getenv("WSQ_CERT"), os.Getenv("WSQ_KEY"))) }()
	fmt.Printf("ready ws://%s/ wss://%s/\n", plain.Addr(), secure.Addr())
	log.Fatal(http.Serve(plain, nil))
}
