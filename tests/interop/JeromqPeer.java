import org.zeromq.ZMQ;

/**
 * JeroMQ 0.3.6, which speaks ZMTP 2.0: "java JeromqPeer bind|connect TYPE ENDPOINT".
 *
 * Says when it is bound or connected, and ends with its standard input. Before it ends it makes
 * sure that JeroMQ still works, by sending a message from one of its own sockets to another.
 */
public class JeromqPeer {
    public static void main(String[] arguments) throws Exception {
        ZMQ.Context context = ZMQ.context(1);
        ZMQ.Socket socket = context.socket(ZMQ.class.getField(arguments[1]).getInt(null));
        socket.setLinger(0);
        if (arguments[0].equals("bind")) {
            socket.bind(arguments[2]);
        } else {
            socket.connect(arguments[2]);
        }
        System.out.println("ready");
        while (System.in.read() != -1) {
        }

        ZMQ.Socket pull = context.socket(ZMQ.PULL);
        pull.setReceiveTimeOut(5000);
        int port = pull.bindToRandomPort("tcp://127.0.0.1");
        ZMQ.Socket push = context.socket(ZMQ.PUSH);
        push.connect("tcp://127.0.0.1:" + port);
        push.send("works");
        System.out.println(pull.recvStr());
        push.close();
        pull.close();
        socket.close();
        context.term();
    }
}
