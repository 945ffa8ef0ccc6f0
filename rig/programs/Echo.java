import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** The echo pair of the Java experiment: both ends in one process, so that one witness sees which system calls a JRE makes. */
public class Echo {
    public static void main(String[] arguments) throws Exception {
        InetAddress here = InetAddress.getByName("127.0.0.1");
        try (ServerSocket listener = new ServerSocket(8083, 3, here)) {
            Thread server = new Thread(() -> serve(listener));
            server.start();
            try (Socket conn = new Socket(here, 8083)) {
                conn.getOutputStream().write("ABCD".getBytes());
                int got = conn.getInputStream().read(new byte[16]);
                System.out.println("echoed=" + got);
            }
            server.join();
        }
    }

    private static void serve(ServerSocket listener) {
        try (Socket conn = listener.accept()) {
            byte[] bytes = new byte[16];
            InputStream input = conn.getInputStream();
            int got = input.read(bytes);
            conn.getOutputStream().write(bytes, 0, got);
            System.out.println("end=" + input.read(bytes));
        } catch (java.io.IOException error) {
            System.out.println("error=" + error.getMessage());
        }
    }
}
