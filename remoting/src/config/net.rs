//! Keys of the network, which a broker and a name server share.
//!
//! Upstream: `NettyServerConfig`, `NettyClientConfig`.

use std::net::IpAddr;

use super::reasons::{CONNECT, NAMESRV_SCAN, NETTY, PERMITS, SOCKET_BUFFERS, THREADS};
use super::{AtStart, ByteSize, Millis, Seconds};

crate::config! {
    /// Keys of the listening side.
    pub struct ServerConfig {
        /// Address of the machine on which to listen.
        bind_address: IpAddr = IpAddr::from([0, 0, 0, 0]), "bindAddress", Restart;
        /// Port on which to listen; a broker listens two below as well. 0 is replaced at start: 10911 for a broker,
        /// 9876 for a name server.
        listen_port: u16 = 0, "listenPort", Restart;
        /// Threads that decode requests.
        server_worker_threads: u32 = 8, "serverWorkerThreads", Inert(THREADS);
        /// Threads for requests without a pool of their own.
        server_callback_executor_threads: u32 = 0, "serverCallbackExecutorThreads", Inert(THREADS);
        /// Threads that wait for sockets.
        server_selector_threads: u32 = 3, "serverSelectorThreads", Inert(THREADS);
        /// One-way requests in flight.
        server_oneway_semaphore_value: u32 = 256, "serverOnewaySemaphoreValue", Inert(PERMITS);
        /// Requests of the server to its clients in flight.
        server_async_semaphore_value: u32 = 64, "serverAsyncSemaphoreValue", Inert(PERMITS);
        /// Silence in both directions after which a connection is closed.
        server_channel_max_idle_time_seconds: Seconds =
            Seconds(120), "serverChannelMaxIdleTimeSeconds", Restart, 1..=i64::MAX;
        /// Send buffer of a connection; 0 leaves it to the operating system.
        server_socket_snd_buf_size: ByteSize = ByteSize(0), "serverSocketSndBufSize", Inert(SOCKET_BUFFERS);
        /// Receive buffer of a connection; 0 leaves it to the operating system.
        server_socket_rcv_buf_size: ByteSize = ByteSize(0), "serverSocketRcvBufSize", Inert(SOCKET_BUFFERS);
        /// Unsent bytes at which a connection counts as not writable.
        write_buffer_high_water_mark: ByteSize = ByteSize(0), "writeBufferHighWaterMark", Inert(NETTY);
        /// Unsent bytes at which it counts as writable again.
        write_buffer_low_water_mark: ByteSize = ByteSize(0), "writeBufferLowWaterMark", Inert(NETTY);
        /// Connections that may wait to be accepted.
        server_socket_backlog: u32 = 1024, "serverSocketBacklog", Restart, 1..=i32::MAX as i64;
        /// Uses a group of worker threads.
        server_netty_worker_group_enable: bool = true, "serverNettyWorkerGroupEnable", Inert(NETTY);
        /// Takes buffers from a pool.
        server_pooled_byte_buf_allocator_enable: bool = true, "serverPooledByteBufAllocatorEnable", Inert(NETTY);
        /// Sends clients that understand it (5.3.2 and newer) away before a stop, with code 1500. What was read before it
        /// is answered in any case.
        enable_shutdown_gracefully: bool = false, "enableShutdownGracefully", Live;
        /// How long a stop that sends clients away waits for them.
        shutdown_wait_time_seconds: Seconds = Seconds(30), "shutdownWaitTimeSeconds", Live, 0..=3600;
        /// Uses epoll directly.
        use_epoll_native_selector: bool = false, "useEpollNativeSelector", Inert(NETTY);
    }
}

crate::config! {
    /// Keys of the calling side: a broker calls name servers, and other brokers. Upstream's two keys for write
    /// buffers belong to both sides and are declared in [`ServerConfig`].
    pub struct ClientConfig {
        /// How long opening a connection may take.
        connect_timeout_millis: Millis = Millis(3000), "connectTimeoutMillis", Inert(CONNECT);
        /// Threads that decode answers.
        client_worker_threads: u32 = 4, "clientWorkerThreads", Inert(THREADS);
        /// Threads for callbacks; mqadmin shows it as the number of CPUs, and 0 is replaced at start by just that.
        client_callback_executor_threads: u32 = 0, "clientCallbackExecutorThreads", Inert(THREADS);
        /// One-way requests in flight.
        client_oneway_semaphore_value: u32 = 65_535, "clientOnewaySemaphoreValue", Inert(PERMITS);
        /// Requests in flight whose sender does not wait.
        client_async_semaphore_value: u32 = 65_535, "clientAsyncSemaphoreValue", Inert(PERMITS);
        /// Age of a broken connection at which it is opened anew.
        channel_not_active_interval: Millis = Millis(60_000), "channelNotActiveInterval", Inert(NETTY);
        /// Looks in the background for name servers that can be reached.
        is_scan_available_name_srv: bool = true, "isScanAvailableNameSrv", Inert(NAMESRV_SCAN);
        /// Silence after which a connection to another server is closed.
        client_channel_max_idle_time_seconds: Seconds = Seconds(120), "clientChannelMaxIdleTimeSeconds", Inert(NETTY);
        /// Send buffer of such a connection.
        client_socket_snd_buf_size: ByteSize = ByteSize(0), "clientSocketSndBufSize", Inert(SOCKET_BUFFERS);
        /// Receive buffer of such a connection.
        client_socket_rcv_buf_size: ByteSize = ByteSize(0), "clientSocketRcvBufSize", Inert(SOCKET_BUFFERS);
        /// Takes buffers from a pool.
        client_pooled_byte_buf_allocator_enable: bool = false, "clientPooledByteBufAllocatorEnable", Inert(NETTY);
        /// Closes a connection on which an answer did not come in time.
        client_close_socket_if_timeout: bool = true, "clientCloseSocketIfTimeout", Inert(NETTY);
        /// Connects to other servers by TLS. Filled at start with tls.enable, or with true where tls.server.mode is enforcing.
        use_tls: AtStart<bool> = AtStart(false), "useTLS", Restart;
        /// Proxies for outgoing connections, as JSON.
        socks_proxy_config: String = "{}".into(), "socksProxyConfig", Inert(NETTY);
        /// Runs callbacks on network threads.
        disable_callback_executor: bool = false, "disableCallbackExecutor", Inert(THREADS);
        /// Uses no group of worker threads.
        disable_netty_worker_group: bool = false, "disableNettyWorkerGroup", Inert(NETTY);
        /// Longest pause between two attempts to connect.
        max_reconnect_interval_time_seconds: Seconds = Seconds(60), "maxReconnectIntervalTimeSeconds", Inert(NETTY);
        /// Connects anew when a server says that it goes away.
        enable_reconnect_for_go_away: bool = true, "enableReconnectForGoAway", Inert(NETTY);
    }
}
