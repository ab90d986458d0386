# Stand-in for redis:7: the same server as in the native stack.
FROM caravan-standin/debian
RUN mkdir /data && chown 999:999 /data
COPY redis-server /usr/local/bin/redis-server
COPY redis.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /data
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
