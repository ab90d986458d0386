# Stand-in for redis:7: the same server as in the native stack.
FROM caravan-standin/debian
RUN groupadd --system --gid 999 redis && useradd --system --uid 999 --gid 999 redis && mkdir /data && chown redis:redis /data
COPY redis-server /usr/local/bin/redis-server
COPY redis.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
