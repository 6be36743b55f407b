// An echo server as Boost.Beast's synchronous example writes it, one thread a connection, over TCP and TLS. Two settings differ from
// the defaults: permessage-deflate is on, and read_message_max (16 MiB) is raised with the other servers'.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/version.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;

static constexpr std::size_t message_max = 64u << 20;

template <class Stream> static void echo(websocket::stream<Stream> ws)
{
	try {
		websocket::permessage_deflate deflate;
		deflate.server_enable = true;
		ws.set_option(deflate);
		ws.read_message_max(message_max);
		ws.accept();
		for (;;) {
			beast::flat_buffer buffer;
			ws.read(buffer);
			ws.text(ws.got_text());
			ws.write(buffer.data());
		}
	} catch (const beast::system_error &) {
		// Closed, or the peer broke the protocol: Beast has sent the Close frame.
	}
}

static void session(tcp::socket socket, asio::ssl::context *tls)
{
	if (!tls)
		return echo(websocket::stream<tcp::socket>(std::move(socket)));
	websocket::stream<beast::ssl_stream<tcp::socket>> ws(std::move(socket), *tls);
	boost::system::error_code failed;
	ws.next_layer().handshake(asio::ssl::stream_base::server, failed);
	if (!failed)
		echo(std::move(ws));
}

static void serve(tcp::acceptor &acceptor, asio::ssl::context *tls)
{
	for (;;)
		std::thread(session, acceptor.accept(), tls).detach();
}

int main(int argc, char **argv)
{
	if (argc == 2 && argv[1] == std::string("--version")) {
		std::string lib = BOOST_LIB_VERSION;
		std::cout << "Boost.Beast " << lib.replace(lib.find('_'), 1, ".") << "\n";
		return 0;
	}
	asio::io_context io;
	asio::ssl::context tls(asio::ssl::context::tls_server);
	tls.use_certificate_chain_file(std::getenv("WSQ_CERT"));
	tls.use_private_key_file(std::getenv("WSQ_KEY"), asio::ssl::context::pem);
	tcp::endpoint any_port(asio::ip::address_v4::loopback(), 0);
	tcp::acceptor plain(io, any_port), secure(io, any_port);
	std::cout << "ready ws://127.0.0.1:" << plain.local_endpoint().port() << "/ wss://127.0.0.1:"
		  << secure.local_endpoint().port() << "/" << std::endl;
	std::thread(serve, std::ref(secure), &tls).detach();
	serve(plain, nullptr);
}
