// SPDX-License-Identifier: Apache-2.0

import org.apache.rocketmq.common.utils.HttpTinyClient;

/**
 * The client's own HTTP reader on an error reply. It reads the error stream without asking whether
 * there is one, and there is none for some forms of an empty body: that ends in a
 * NullPointerException, which the client logs as a stack trace at each poll.
 *
 * <p>{@code ErrorForm URL} prints {@code status CODE body LENGTH}.
 */
public final class ErrorForm {
    private static final long READ_TIMEOUT_MS = 3000;

    public static void main(String[] args) throws Exception {
        HttpTinyClient.HttpResult result =
            HttpTinyClient.httpGet(args[0], null, null, "UTF-8", READ_TIMEOUT_MS);
        System.out.println("status " + result.code + " body " + result.content.length());
    }
}
