// SPDX-License-Identifier: Apache-2.0

import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/**
 * A producer as a tenant writes it: no name server address in the code, only the two system
 * properties on the command line.
 *
 * <p>{@code Produce TOPIC COUNT} sends the numbers 0 to COUNT-1. With COUNT 0 it sends until its
 * stdin ends, some 100 a second. Every failed send is a line of its own, and the last line is
 * {@code sent N failed M}.
 */
public final class Produce {
    private static final long STEADY_PAUSE_MS = 10;

    public static void main(String[] args) throws Exception {
        String topic = args[0];
        int count = Integer.parseInt(args[1]);

        DefaultMQProducer producer = new DefaultMQProducer("produce-" + topic);
        producer.start();

        int sent = 0;
        int failed = 0;
        AtomicBoolean stop = count == 0 ? stopAtEndOfStdin() : new AtomicBoolean();
        for (int i = 0; count == 0 ? !stop.get() : i < count; i++) {
            try {
                byte[] body = Integer.toString(i).getBytes("UTF-8");
                SendResult result = producer.send(new Message(topic, body));
                if (result.getSendStatus() != SendStatus.SEND_OK) {
                    throw new IllegalStateException(result.toString());
                }
                sent++;
            } catch (Exception e) {
                failed++;
                System.out.println("send " + i + " failed: " + e);
            }
            if (count == 0) {
                if (sent == 1) {
                    System.out.println("sending");
                }
                Thread.sleep(STEADY_PAUSE_MS);
            }
        }
        producer.shutdown();
        System.out.println("sent " + sent + " failed " + failed);
    }

    private static AtomicBoolean stopAtEndOfStdin() {
        AtomicBoolean stop = new AtomicBoolean();
        Thread reader = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Only its end matters.
                }
            } catch (java.io.IOException e) {
                System.out.println("stdin: " + e);
            }
            stop.set(true);
        });
        reader.setDaemon(true);
        reader.start();
        return stop;
    }
}
