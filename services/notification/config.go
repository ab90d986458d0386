package main

import (
	"fmt"
	"time"

	"github.com/caravan-shop/caravan/services/internal/service"
	"github.com/caravan-shop/caravan/services/notification/internal/post"
)

// config is read from the environment.
type config struct {
	service.Config

	RedisURL string `env:"REDIS_URL,required,notEmpty"`

	SMTPAddr     string        `env:"SMTP_ADDR,required,notEmpty"`
	SMTPSecurity post.Security `env:"SMTP_SECURITY" envDefault:"none"`
	SMTPUsername string        `env:"SMTP_USERNAME"`
	SMTPPassword string        `env:"SMTP_PASSWORD"`
	SMTPSenders  int           `env:"SMTP_SENDERS" envDefault:"4"`
	SMTPTimeout  time.Duration `env:"SMTP_TIMEOUT" envDefault:"6s"`
	SMTPIdle     time.Duration `env:"SMTP_IDLE" envDefault:"30s"`

	MailFrom string `env:"MAIL_FROM" envDefault:"Caravan <shop@caravan.example>"`
	ShopName string `env:"SHOP_NAME" envDefault:"Caravan"`
	ShopURL  string `env:"SHOP_URL" envDefault:"http://127.0.0.1:3500"`

	// WorkTimeout bounds one mail: claim, neighbours and SMTP.
	WorkTimeout time.Duration `env:"MAIL_TIMEOUT" envDefault:"10s"`
	// SettleTimeout bounds the marking of a mail that is sent.
	SettleTimeout time.Duration `env:"MAIL_SETTLE_TIMEOUT" envDefault:"2s"`
	// NeighbourTimeout bounds one question to User or Order.
	NeighbourTimeout time.Duration `env:"NEIGHBOUR_TIMEOUT" envDefault:"3s"`
	// Lease is how long a mail whose worker died stays claimed.
	Lease time.Duration `env:"MAIL_LEASE" envDefault:"20s"`
}

// check refuses settings under which a mail could go out twice without a crash.
func (c config) check() error {
	switch c.SMTPSecurity {
	case post.None, post.StartTLS, post.TLS:
	default:
		return fmt.Errorf("configuration: SMTP_SECURITY is one of none, starttls, tls")
	}
	if c.SMTPSenders < 1 {
		return fmt.Errorf("configuration: SMTP_SENDERS is at least 1")
	}
	if c.Lease <= c.WorkTimeout+c.SettleTimeout {
		return fmt.Errorf("configuration: MAIL_LEASE must be longer than MAIL_TIMEOUT and MAIL_SETTLE_TIMEOUT together")
	}
	return nil
}

func (c config) post() post.Settings {
	return post.Settings{
		Addr: c.SMTPAddr, From: c.MailFrom, Security: c.SMTPSecurity, Username: c.SMTPUsername, Password: c.SMTPPassword,
		Connections: c.SMTPSenders, Timeout: c.SMTPTimeout, IdleFor: c.SMTPIdle,
	}
}
