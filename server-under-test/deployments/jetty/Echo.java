import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/**
 * An echo server as the Jetty documentation writes it, over TCP and TLS. All defaults, permessage-deflate among them, but the largest
 * message (64 KiB would refuse the large cases).
 */
public final class Echo implements Session.Listener.AutoDemanding {
    private static final long MESSAGE_MAX = 64 << 20;
    private Session session;

    @Override
    public void onWebSocketOpen(Session session) {
        this.session = session;
    }

    @Override
    public void onWebSocketText(String message) {
        session.sendText(message, Callback.NOOP);
    }

    @Override
    public void onWebSocketBinary(ByteBuffer payload, Callback callback) {
        session.sendBinary(payload, callback);
    }

    private static KeyStore keyStore() throws Exception {
        String pem = Files.readString(Path.of(System.getenv("WSQ_KEY"))).replaceAll("-----.*-----|\\s", "");
        var key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
        Certificate leaf;
        try (var in = Files.newInputStream(Path.of(System.getenv("WSQ_CERT")))) {
            leaf = CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("leaf", key, new char[0], new Certificate[] {leaf});
        return store;
    }

    private static ServerConnector listen(Server server, ServerConnector connector) {
        connector.setHost("127.0.0.1");
        connector.setPort(0);
        server.addConnector(connector);
        return connector;
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 1 && args[0].equals("--version")) {
            System.out.println("jetty " + Server.getVersion());
            return;
        }
        var server = new Server();
        var tls = new SslContextFactory.Server();
        tls.setKeyStore(keyStore());
        tls.setKeyStorePassword("");
        tls.setSniRequired(false);
        var plain = listen(server, new ServerConnector(server));
        var secure = listen(server, new ServerConnector(server, tls));
        server.setHandler(WebSocketUpgradeHandler.from(server, container -> {
            container.setMaxTextMessageSize(MESSAGE_MAX);
            container.setMaxBinaryMessageSize(MESSAGE_MAX);
            container.addMapping("/", (request, response, callback) -> new Echo());
        }));
        server.start();
        System.out.printf("ready ws://127.0.0.1:%d/ wss://127.0.0.1:%d/%n", plain.getLocalPort(), secure.getLocalPort());
        server.join();
    }
}
