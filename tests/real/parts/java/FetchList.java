// SPDX-License-Identifier: Apache-2.0

import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.namesrv.TopAddressing;

/**
 * The client's own fetch of the list, with a unit name: it asks for
 * {@code /rocketmq/SUBGROUP-UNIT?nofix=1}.
 *
 * <p>{@code FetchList UNIT} prints {@code list: } and what the client would use.
 */
public final class FetchList {
    public static void main(String[] args) {
        System.out.println("list: " + new TopAddressing(MixAll.getWSAddr(), args[0]).fetchNSAddr());
    }
}
