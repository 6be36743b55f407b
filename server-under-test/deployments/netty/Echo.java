import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketServerCompressionHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.util.Version;
import java.io.File;
import java.net.InetSocketAddress;

/**
 * An echo server as Netty's WebSocket example writes it, over TCP and TLS. Settings that differ from the defaults: frames of 64 MiB
 * (64 KiB would refuse the large cases), extensions allowed, an aggregator, without which fragments come one by one, and an answer to the
 * requests that are not for the WebSocket handler.
 */
public final class Echo extends SimpleChannelInboundHandler<WebSocketFrame> {
    private static final int MESSAGE_MAX = 64 << 20;

    @Override
    protected void channelRead0(ChannelHandlerContext context, WebSocketFrame message) {
        context.writeAndFlush(message.retain());
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        context.close();
    }

    /** Answers the requests that the handler before it leaves alone: those for another path, and what is no HTTP. */
    private static final class NotFound extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
            var status = request.decoderResult().isFailure() ? HttpResponseStatus.BAD_REQUEST : HttpResponseStatus.NOT_FOUND;
            var response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status);
            response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
            context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
        }
    }

    private static int listen(NioEventLoopGroup group, SslContext tls) throws Exception {
        var config = WebSocketServerProtocolConfig.newBuilder()
            .websocketPath("/").allowExtensions(true).maxFramePayloadLength(MESSAGE_MAX).build();
        var bootstrap = new ServerBootstrap().group(group).channel(NioServerSocketChannel.class);
        bootstrap.childHandler(new ChannelInitializer<SocketChannel>() {
            @Override
            protected void initChannel(SocketChannel channel) {
                if (tls != null) {
                    channel.pipeline().addLast(tls.newHandler(channel.alloc()));
                }
                channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(65536),
                    new WebSocketServerCompressionHandler(MESSAGE_MAX), new WebSocketServerProtocolHandler(config),
                    new WebSocketFrameAggregator(MESSAGE_MAX), new NotFound(), new Echo());
            }
        });
        Channel server = bootstrap.bind("127.0.0.1", 0).sync().channel();
        return ((InetSocketAddress) server.localAddress()).getPort();
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 1 && args[0].equals("--version")) {
            System.out.println("netty " + Version.identify().get("netty-codec-http").artifactVersion());
            return;
        }
        var tls = SslContextBuilder.forServer(new File(System.getenv("WSQ_CERT")), new File(System.getenv("WSQ_KEY"))).build();
        var group = new NioEventLoopGroup(2);
        System.out.printf("ready ws://127.0.0.1:%d/ wss://127.0.0.1:%d/%n", listen(group, null), listen(group, tls));
    }
}
