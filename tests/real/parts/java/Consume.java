// SPDX-License-Identifier: Apache-2.0

import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A push consumer as a tenant writes it, see {@link Produce}.
 *
 * <p>{@code Consume TOPIC COUNT} ends once each of the numbers 0 to COUNT-1 has come, with the line
 * {@code consumed COUNT}.
 */
public final class Consume {
    public static void main(String[] args) throws Exception {
        String topic = args[0];
        int count = Integer.parseInt(args[1]);

        Set<String> missing = new HashSet<>();
        for (int i = 0; i < count; i++) {
            missing.add(Integer.toString(i));
        }
        CountDownLatch all = new CountDownLatch(1);

        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("consume-" + topic);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            synchronized (missing) {
                for (MessageExt message : messages) {
                    boolean fresh = missing.remove(new String(message.getBody()));
                    if (fresh && missing.size() % 100 == 0) {
                        System.out.println("missing " + missing.size());
                    }
                }
                if (missing.isEmpty()) {
                    all.countDown();
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        all.await();
        consumer.shutdown();
        System.out.println("consumed " + count);
    }
}
