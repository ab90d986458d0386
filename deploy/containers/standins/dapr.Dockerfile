# Stand-in for daprio/daprd and daprio/sentry: the program that the native stack builds, which wants a C library.
FROM caravan-standin/debian
ARG PROGRAM
COPY ${PROGRAM} /${PROGRAM}
USER 65532:65532
