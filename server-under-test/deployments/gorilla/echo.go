// An echo server as the documentation of gorilla/websocket writes it. EnableCompression is on: the default offers no permessage-deflate.
// All else is default: no limit on a message's size, and no UTF-8 check, which the package leaves to the application.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{EnableCompression: true}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer c.Close()
	for {
		kind, message, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, message); err != nil {
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
