package compat;

/** Request codes of RocketMQ 5.5.0 that hand-made frames use. */
final class Codes {
    static final int SEND_MESSAGE = 10;
    static final int PULL_MESSAGE = 11;
    static final int QUERY_MESSAGE = 12;
    static final int QUERY_CONSUMER_OFFSET = 14;
    static final int UPDATE_CONSUMER_OFFSET = 15;
    static final int UPDATE_AND_CREATE_TOPIC = 17;
    static final int GET_ALL_TOPIC_CONFIG = 21;
    static final int UPDATE_BROKER_CONFIG = 25;
    static final int GET_BROKER_CONFIG = 26;
    static final int SEARCH_OFFSET_BY_TIMESTAMP = 29;
    static final int GET_MAX_OFFSET = 30;
    static final int GET_MIN_OFFSET = 31;
    static final int GET_EARLIEST_MSG_STORETIME = 32;
    static final int VIEW_MESSAGE_BY_ID = 33;
    static final int HEART_BEAT = 34;
    static final int UNREGISTER_CLIENT = 35;
    static final int CONSUMER_SEND_MSG_BACK = 36;
    static final int GET_CONSUMER_LIST_BY_GROUP = 38;
    static final int NOTIFY_CONSUMER_IDS_CHANGED = 40;
    static final int LOCK_BATCH_MQ = 41;
    static final int UNLOCK_BATCH_MQ = 42;
    static final int PUT_KV_CONFIG = 100;
    static final int GET_KV_CONFIG = 101;
    static final int DELETE_KV_CONFIG = 102;
    static final int GET_ROUTEINFO_BY_TOPIC = 105;
    static final int UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200;
    static final int GET_ALL_SUBSCRIPTIONGROUP_CONFIG = 201;
    static final int WIPE_WRITE_PERM_OF_BROKER = 205;
    static final int GET_ALL_TOPIC_LIST_FROM_NAMESERVER = 206;
    static final int DELETE_SUBSCRIPTIONGROUP = 207;
    static final int DELETE_TOPIC_IN_BROKER = 215;
    static final int INVOKE_BROKER_TO_RESET_OFFSET = 222;
    static final int GET_CONSUMER_RUNNING_INFO = 307;
    static final int SEND_MESSAGE_V2 = 310;
    static final int CLONE_GROUP_OFFSET = 314;
    static final int SEND_BATCH_MESSAGE = 320;
    static final int ADD_WRITE_PERM_OF_BROKER = 327;
    static final int DELETE_EXPIRED_COMMITLOG = 329;
    static final int LITE_PULL_MESSAGE = 361;
    static final int RECALL_MESSAGE = 370;
    static final int QUERY_ASSIGNMENT = 400;
    static final int SET_MESSAGE_REQUEST_MODE = 401;

    private Codes() { }
}
